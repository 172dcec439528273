import { equal, utf8 } from '../base/bytes.ts';
import { sha256 } from '../crypto/hash.ts';

/** Compares two secret texts by their hashes, so that the time taken tells nothing about them. */
export const isSameToken = (given: string, token: string): boolean => equal(sha256(utf8(given)), sha256(utf8(token)));
