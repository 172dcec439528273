/** Intent proofs as the published SDK makes them. */
import { Intent, type VtxoScript, VtxoTaprootTree } from '@arkade-os/sdk';
import { type IntentProof, parseIntentProof } from '../../../../src/ark/protocol/intent.ts';
import { type Bytes, fromHex, toHex } from '../../../../src/base/bytes.ts';
import { type Psbt, parsePsbt, psbtBase64 } from '../../../../src/bitcoin/psbt.ts';
import { identityOf, sdkVtxo, vtxo } from './sdk-wallet.ts';
import { key, outpoint, owner, secp, signer } from './support.ts';

export const MESSAGE = `{"type":"register","onchain_output_indexes":[],"valid_at":0,"expire_at":0,"cosigners_public_keys":["${toHex(key(6).compressed)}"]}`;
export const SIGNERS = [signer.xonly];

export const sdkCoin = (byte: number, amount: bigint, script: VtxoScript = sdkVtxo, leaf = script.leaves[0]!) => ({
  txid: fromHex(outpoint(byte).txid),
  index: 0,
  witnessUtxo: { script: script.pkScript, amount },
  tapLeafScript: [leaf],
  unknown: [VtxoTaprootTree.encode(script.encode())],
});
export const identity = identityOf(owner);
export const output = { amount: 10_000n, script: vtxo.script };

export async function sdkProof(message = MESSAGE, coins = [sdkCoin(0x11, 10_000n)], outputs = [output]): Promise<Psbt> {
  return parsePsbt((await identity.sign(Intent.create(message, coins, outputs))).toPSBT());
}
export const parse = (psbt: Psbt, message = MESSAGE, signers: readonly Bytes[] = SIGNERS): IntentProof =>
  parseIntentProof(secp, psbtBase64(psbt), message, signers);
