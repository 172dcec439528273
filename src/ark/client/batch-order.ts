/** What an order becomes: the message and the outputs of its intent, and what its leaf has besides its receivers. */
import { type TxOut, txidOf } from '../../bitcoin/tx.ts';
import { type AssetPacket, assetExtension, leafExtension } from '../protocol/asset-packet.ts';
import { printExtension } from '../protocol/extension.ts';
import { buildIntentProof } from '../protocol/intent.ts';
import { printIntentMessage, type RegisterMessage } from '../protocol/intent-message.ts';
import { assetPacket, assetsOf, packetOutput } from './assets.ts';
import type { BatchOrder } from './batch-session.ts';

/** Input 0 of an intent's proof is no coin. */
const FIRST_VIN = 1;

/** `cosigner` is a compressed key in hex. */
export const messageOf = ({ receivers, onchain }: BatchOrder, cosigner: string): RegisterMessage => ({
  type: 'register',
  onchainOutputIndexes: onchain.map((_, i) => receivers.length + i),
  validAt: 0,
  expireAt: 0,
  cosignersPublicKeys: [cosigner],
});

/** Throws `RangeError` when assets have nowhere to go and nothing says that they shall be burned. */
function packetOf({ coins, receivers, assets }: BatchOrder): AssetPacket | undefined {
  const all = assetsOf(coins);
  if (!assets && all.length > 0 && receivers.length === 0) throw new RangeError('the order would burn assets');
  return assetPacket(coins, { outputs: assets ?? [all] }, FIRST_VIN);
}

/** The outputs of the intent's proof. Throws `RangeError`. */
export function proofOutputs(order: BatchOrder): readonly TxOut[] {
  const packet = packetOf(order);
  return [...order.receivers, ...order.onchain, ...(packet ? [packetOutput(packet)] : [])];
}

/** The output that must follow the receivers in the leaf, if one must. */
export function leafPacketOutput(order: BatchOrder, cosigner: string): TxOut | undefined {
  const packet = packetOf(order);
  if (!packet) return undefined;
  const proof = buildIntentProof(printIntentMessage(messageOf(order, cosigner)), order.coins, proofOutputs(order));
  return { value: 0n, script: printExtension(leafExtension(assetExtension(packet), txidOf(proof.tx))) };
}
