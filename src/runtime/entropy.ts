/** Chance as a dependency: the system's, or a stream that a seed determines. */
import { concat, utf8 } from '../base/bytes.ts';
import { sha256 } from '../crypto/hash.ts';

export interface Entropy {
  /** `length` fresh bytes, 0 … 65536. */
  bytes(length: number): Uint8Array;
}

export const systemEntropy: Entropy = { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) };

/** The same seed gives the same bytes in the same order. For tests only: whoever knows the seed knows every secret. */
export function createManualEntropy(seed: string): Entropy {
  let block = sha256(utf8(seed));
  let used = 0;
  return {
    bytes(length) {
      const parts: Uint8Array[] = [];
      for (let missing = length; missing > 0; ) {
        if (used === block.length) {
          block = sha256(concat(utf8(seed), block));
          used = 0;
        }
        const part = block.slice(used, used + missing);
        used += part.length;
        missing -= part.length;
        parts.push(part);
      }
      return concat(...parts);
    },
  };
}
