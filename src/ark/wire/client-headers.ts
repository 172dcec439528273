/** What a client says about itself beside a request: the build it was made for, and the terms it knows. */
import { arkError, demand } from '../protocol/errors.ts';
import type { ArkSettings } from '../protocol/settings.ts';

/** Value of a header, or of a piece of gRPC metadata, by its lower-case name. */
export type ClientHeader = (name: string) => string | undefined;

export type ClientTerms = Pick<ArkSettings, 'minBuildVersion' | 'buildVersionRequired' | 'digestRequired'>;

type Version = readonly [major: number, minor: number, patch: number];

/** `2.3.4`, with or without a `v` before it and a suffix behind it; `undefined` when it is no version. */
export function parseVersion(text: string): Version | undefined {
  const match = /^v?([0-9]{1,9})(?:\.([0-9]{1,9})(?:\.([0-9]{1,9})(?:[-+.].*)?)?)?$/.exec(text);
  return match ? [Number(match[1]), Number(match[2] ?? 0), Number(match[3] ?? 0)] : undefined;
}

function isOlder(version: Version, least: Version): boolean {
  const at = version.findIndex((part, i) => part !== least[i]);
  return at >= 0 && version[at]! < least[at]!;
}

function checkBuildVersion(given: string, { minBuildVersion, buildVersionRequired }: ClientTerms): void {
  const least = parseVersion(minBuildVersion);
  if (!least) return;
  const version = parseVersion(given);
  if (version ? !isOlder(version, least) : !buildVersionRequired) return;
  throw arkError('BUILD_VERSION_TOO_OLD', `the server needs a client of build ${minBuildVersion} or later`, {
    client_version: given,
    min_version: minBuildVersion,
  });
}

/**
 * A client that is too old, or acts on outdated terms, is told so before anything else. What it does not say counts
 * against it only where the settings require it; `silent` clients, such as browsers opening an event stream, cannot.
 * Throws `BUILD_VERSION_TOO_OLD` or `DIGEST_MISMATCH`.
 */
export function checkClient(header: ClientHeader, terms: ClientTerms, digest: string, silent = false): void {
  const version = header('x-build-version') ?? '';
  if (version !== '' || !silent) checkBuildVersion(version, terms);
  const got = header('x-digest') ?? '';
  const known = got === '' ? silent || !terms.digestRequired : got === digest;
  demand(known, 'DIGEST_MISMATCH', 'the terms have changed, get the info again', {
    expected_digest: digest,
    got_digest: got,
  });
}
