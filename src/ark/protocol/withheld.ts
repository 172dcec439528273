/** A transaction without what makes it fit to be broadcast: whoever holds it can follow it, and nothing else. */
import { type Bytes, equal } from '../../base/bytes.ts';
import { parsePsbt, psbtBase64 } from '../../bitcoin/psbt.ts';

/** A PSBT (base64) without the cosigners' tree signature, final witnesses, and signatures of `signers` (x-only). */
export function withheldPsbt(text: string, signers: readonly Bytes[]): string {
  const psbt = parsePsbt(text);
  const inputs = psbt.inputs.map(({ tapKeySig: _, finalWitness: __, ...input }) => ({
    ...input,
    tapScriptSigs: input.tapScriptSigs.filter(({ publicKey }) => !signers.some((signer) => equal(signer, publicKey))),
  }));
  return psbtBase64({ ...psbt, inputs });
}
