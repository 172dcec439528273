/** What the servers must never tell: drawn at the first start, kept in a file that only its owner may read. */
import { join } from 'node:path';
import { type Bytes, fromHex, toHex } from '../base/bytes.ts';
import type { Entropy } from '../runtime/entropy.ts';
import { OperatorError } from '../runtime/operator-error.ts';
import { readIfPresent, writePrivateFile } from './data-folder.ts';

export interface Secrets {
  /** 32 bytes; every server key is derived from it. */
  readonly seed: Bytes;
  /** 64 hex digits; opens the admin and control APIs. */
  readonly adminToken: string;
}

const HEX_32 = /^[0-9a-f]{64}$/;

export const drawToken = (entropy: Entropy): string => toHex(entropy.bytes(32));

export const drawSecrets = (entropy: Entropy): Secrets => ({
  seed: entropy.bytes(32),
  adminToken: drawToken(entropy),
});

const fileIn = (folder: string): string => join(folder, 'secrets.json');

/** Durable when it returns. Throws DATA_UNREADABLE. */
export function saveSecrets(folder: string, { seed, adminToken }: Secrets): void {
  writePrivateFile(fileIn(folder), `${JSON.stringify({ seed: toHex(seed), adminToken })}\n`);
}

function parseSecrets(text: string, path: string): Secrets {
  try {
    const { seed, adminToken } = JSON.parse(text) as Record<string, string>;
    if (HEX_32.test(seed!) && HEX_32.test(adminToken!)) return { seed: fromHex(seed!), adminToken: adminToken! };
  } catch {
    // Told below, without the parser's message, which quotes what it read.
  }
  throw new OperatorError('DATA_UNREADABLE', `${path} is damaged: restore it, since it holds the server's keys`);
}

/** The secrets of a data folder, drawn if it has none yet. Throws DATA_UNREADABLE. */
export function loadSecrets(folder: string, entropy: Entropy): Secrets {
  const path = fileIn(folder);
  const text = readIfPresent(path);
  if (text !== undefined) return parseSecrets(text, path);
  const secrets = drawSecrets(entropy);
  saveSecrets(folder, secrets);
  return secrets;
}
