import type { Bytes } from '../../base/bytes.ts';
import { SIGHASH, type TaprootSighashOptions, taprootSighash } from '../sighash.ts';
import { check, fail } from './failure.ts';
import type { Spend } from './spend.ts';

/** BIP341: a Schnorr signature over the taproot message, its sighash type last unless default. */
export function checkSchnorr(
  spend: Spend,
  signature: Bytes,
  xonly: Bytes,
  options: Omit<TaprootSighashOptions, 'type'>,
): void {
  check(signature.length === 64 || signature.length === 65, 'SCHNORR_SIG_SIZE');
  const type = signature[64] ?? SIGHASH.DEFAULT;
  // BIP341: the default type is written by leaving it out.
  check(signature.length === 64 || type !== SIGHASH.DEFAULT, 'SCHNORR_SIG_HASHTYPE');
  const message = taprootSighash(spend.tx, spend.index, spend.prevouts, { ...options, type });
  if (!message) fail('SCHNORR_SIG_HASHTYPE');
  check(spend.secp.schnorrVerify(signature.subarray(0, 64), message, xonly), 'SCHNORR_SIG');
}
