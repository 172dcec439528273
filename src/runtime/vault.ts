/** Secrets at rest: AES-256-GCM under a key that is kept elsewhere. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { type Bytes, concat } from '../base/bytes.ts';
import type { Entropy } from './entropy.ts';

const CIPHER = 'aes-256-gcm';
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;

/** Nonce, ciphertext and tag in one piece; `key` is 32 bytes. */
export function seal(entropy: Entropy, key: Bytes, secret: Bytes): Bytes {
  const nonce = entropy.bytes(NONCE_LENGTH);
  const cipher = createCipheriv(CIPHER, key, nonce);
  const sealed = concat(cipher.update(secret), cipher.final());
  return concat(nonce, sealed, cipher.getAuthTag());
}

/** Throws when it was sealed with another key or has been altered. */
export function unseal(key: Bytes, sealed: Bytes): Bytes {
  const end = sealed.length - TAG_LENGTH;
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_LENGTH));
  decipher.setAuthTag(sealed.subarray(end));
  return concat(decipher.update(sealed.subarray(NONCE_LENGTH, end)), decipher.final());
}
