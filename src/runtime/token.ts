/** Secret texts that open an API. */
import { equal, utf8 } from '../base/bytes.ts';
import { sha256 } from '../crypto/hash.ts';

/** Compares two secret texts by their hashes, so that the time taken tells nothing about them. */
export const isSameToken = (given: string, token: string): boolean => equal(sha256(utf8(given)), sha256(utf8(token)));

/** What opens the operator's doors: one token at a time. */
export interface AdminToken {
  matches(given: string): boolean;
  /** Puts a fresh token in its place, which is returned once it is durable; the one before opens nothing any more. */
  renew(): Promise<string>;
}

export function createAdminToken(first: string, draw: () => string, keep: (token: string) => void): AdminToken {
  let token = first;
  return {
    matches: (given) => isSameToken(given, token),
    async renew() {
      const next = draw();
      keep(next);
      token = next;
      return next;
    },
  };
}
