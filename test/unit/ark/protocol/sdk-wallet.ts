/** What a wallet of the published SDK builds, signs and submits, and the terms it is judged by. */
import assert from 'node:assert/strict';
import {
  buildOffchainTx,
  ConditionWitness,
  CSVMultisigTapscript,
  DefaultVtxo,
  SingleKey,
  setArkPsbtField,
  type TapLeafScript,
  type Transaction,
  VHTLC,
  type VtxoScript,
} from '@arkade-os/sdk';
import { finalize, secretSigner } from '../../../../src/ark/protocol/leaf-spend.ts';
import type { SubmissionRules, SubmittedTxs } from '../../../../src/ark/protocol/submission.ts';
import { defaultVtxo } from '../../../../src/ark/protocol/vtxo.ts';
import { type Bytes, toBase64 } from '../../../../src/base/bytes.ts';
import { STANDARD_FLAGS, verifyTx } from '../../../../src/bitcoin/interpreter/verify.ts';
import { type Psbt, prevoutsOf } from '../../../../src/bitcoin/psbt.ts';
import { ripemd160, sha256 } from '../../../../src/crypto/hash.ts';
import { AUX, checkpointTapscript, exitDelay, type Key, outpoint, owner, receiver, secp, signer } from './support.ts';

export const rules: SubmissionRules = {
  signers: [signer.xonly],
  minExitDelay: exitDelay,
  allowBlockType: true,
  checkpointTapscript,
  dust: 330n,
  vtxoMinAmount: 1n,
  vtxoMaxAmount: 1_000_000n,
  maxOpReturnOutputs: 3,
  maxTxWeight: 40_000,
  tip: { height: 1000, medianTime: 1_700_000_000 },
};
export const unroll = CSVMultisigTapscript.decode(checkpointTapscript);
export const csvTimelock = { type: 'blocks', value: 20n } as const;
export const sdkVtxo = new DefaultVtxo.Script({ pubKey: owner.xonly, serverPubKey: signer.xonly, csvTimelock });
export const vtxo = defaultVtxo(secp, owner.xonly, signer.xonly, exitDelay);
export const target = defaultVtxo(secp, receiver.xonly, signer.xonly, exitDelay);
export const preimage = new Uint8Array(32).fill(0x42);
export const htlc = new VHTLC.Script({
  sender: owner.xonly,
  receiver: receiver.xonly,
  server: signer.xonly,
  preimageHash: ripemd160(sha256(preimage)),
  refundLocktime: 1000n,
  unilateralClaimDelay: { type: 'blocks', value: 20n },
  unilateralRefundDelay: { type: 'blocks', value: 22n },
  unilateralRefundWithoutReceiverDelay: { type: 'blocks', value: 23n },
});

export const identityOf = ({ secret }: Key) => SingleKey.fromPrivateKey(secret);
export const coin = (
  byte: number,
  value: number,
  script: VtxoScript = sdkVtxo,
  leaf: TapLeafScript = script.leaves[0]!,
) => ({
  txid: outpoint(byte).txid,
  vout: 0,
  value,
  tapLeafScript: leaf,
  tapTree: script.encode(),
});
export const pays = (amount: bigint, script: Bytes = target.script) => ({ amount, script });

export interface Sent {
  readonly arkTx: Transaction;
  readonly checkpoints: readonly Transaction[];
  readonly txs: SubmittedTxs;
}

/** What a wallet of the SDK submits. */
export async function send(
  coins: Parameters<typeof buildOffchainTx>[0],
  outputs: Parameters<typeof buildOffchainTx>[1],
  signers: readonly Key[] = [owner],
  condition?: readonly Bytes[],
): Promise<Sent> {
  const { arkTx: unsigned, checkpoints } = buildOffchainTx(coins, outputs, unroll);
  let arkTx = unsigned;
  for (const key of signers) arkTx = await identityOf(key).sign(arkTx);
  if (condition) for (const i of coins.keys()) setArkPsbtField(arkTx, i, ConditionWitness, [...condition]);
  const txs = {
    signedArkTx: toBase64(arkTx.toPSBT()),
    checkpointTxs: checkpoints.map((checkpoint) => toBase64(checkpoint.toPSBT())),
  };
  return { arkTx, checkpoints, txs };
}

export const isValid = (psbt: Psbt): boolean =>
  verifyTx(secp, finalize(psbt), prevoutsOf(psbt)!, STANDARD_FLAGS) === undefined;

export const serverSigner = (asked: Bytes) => {
  assert.deepEqual(asked, signer.xonly);
  return secretSigner(secp, signer.secret, AUX);
};

/** Takes a payment all the way, as server and SDK do, and lets the script rules judge what comes out. */
