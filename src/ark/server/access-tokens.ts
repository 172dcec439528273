/**
 * Tokens by which somebody who has proven to own VTXOs may read on without proving it anew. In memory only: after a
 * restart everybody proves again.
 */
import { type OutpointKey, toBase64, toHex, utf8 } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/hash.ts';
import type { ArkContext } from './context.ts';

export interface AccessToken {
  readonly token: string;
  /** Names what the token is for: the SHA256 of its outpoints, hex. */
  readonly hash: string;
  readonly outpoints: readonly OutpointKey[];
  /** Unix seconds. */
  readonly expiresAt: number;
}

/** What tokens somebody means; what is absent rules nothing out. */
export interface TokenFilter {
  readonly token?: string;
  readonly hash?: string;
  readonly outpoint?: string;
  readonly txid?: string;
}

export interface AccessTokens {
  /** The token for these outpoints, the same for as long as it lives. */
  issue(outpoints: readonly OutpointKey[]): AccessToken;
  /** `undefined` when it never was, is over, or was revoked. */
  find(token: string): AccessToken | undefined;
  list(filter: TokenFilter): readonly AccessToken[];
  /** Returns how many there were. */
  revoke(filter: TokenFilter): number;
}

const TOKEN_BYTES = 32;
/** The oldest make room for new ones, and their holders prove once more. */
const MOST_TOKENS = 50_000;

export const hashOfOutpoints = (outpoints: readonly OutpointKey[]): string =>
  toHex(sha256(utf8(outpoints.toSorted().join(','))));

export function createAccessTokens(
  { entropy, nowSeconds }: Pick<ArkContext, 'entropy' | 'nowSeconds'>,
  lifeSeconds: number,
): AccessTokens {
  /** In the order of their ends. */
  const tokens = new Map<string, AccessToken>();
  const byHash = new Map<string, AccessToken>();

  function forget({ token, hash }: AccessToken): void {
    tokens.delete(token);
    byHash.delete(hash);
  }

  function forgetOver(): void {
    for (const known of tokens.values()) {
      if (known.expiresAt > nowSeconds() && tokens.size <= MOST_TOKENS) return;
      forget(known);
    }
  }

  const matching = ({ token, hash, outpoint, txid }: TokenFilter): AccessToken[] => {
    forgetOver();
    return [...tokens.values()].filter(
      (known) =>
        (token === undefined || known.token === token) &&
        (hash === undefined || known.hash === hash) &&
        (outpoint === undefined || known.outpoints.some((each) => each === outpoint)) &&
        (txid === undefined || known.outpoints.some((each) => each.startsWith(`${txid}:`))),
    );
  };

  return {
    issue(outpoints) {
      forgetOver();
      const hash = hashOfOutpoints(outpoints);
      const known = byHash.get(hash);
      if (known) return known;
      const token = toBase64(entropy.bytes(TOKEN_BYTES));
      const issued: AccessToken = { token, hash, outpoints, expiresAt: nowSeconds() + lifeSeconds };
      tokens.set(token, issued);
      byHash.set(hash, issued);
      return issued;
    },
    find(token) {
      forgetOver();
      return tokens.get(token);
    },
    list: matching,
    revoke(filter) {
      const found = matching(filter);
      for (const known of found) forget(known);
      return found.length;
    },
  };
}
