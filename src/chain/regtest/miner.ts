/** Building and grinding blocks. */
import type { Bytes } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import type { Block } from '../../bitcoin/block.ts';
import { txMerkleRoot, WITNESS_RESERVED, witnessCommitmentOutput } from '../../bitcoin/merkle.ts';
import { mine, REGTEST_BITS } from '../../bitcoin/proof-of-work.ts';
import { push, pushNumber, script } from '../../bitcoin/script.ts';
import { NULL_TXID, SEQUENCE_FINAL, type Tx } from '../../bitcoin/tx.ts';
import type { ChainBlock } from './ledger.ts';
import { BLOCK_VERSION, subsidyAt } from './params.ts';

export interface BlockPlan {
  readonly previous: ChainBlock;
  readonly txs: readonly Tx[];
  /** What `txs` pay, in satoshi. */
  readonly fees: bigint;
  /** Where the reward goes. */
  readonly script: Bytes;
  /** Unix seconds. */
  readonly time: number;
  /** Makes blocks differ that are alike in everything else. */
  readonly extra: number;
}

/** BIP34: the height comes first. */
function coinbaseScript(height: number, extra: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, extra);
  return script(pushNumber(BigInt(height)), push(bytes));
}

function coinbaseTx({ previous, txs, fees, script: reward, extra }: BlockPlan): Tx {
  const height = previous.height + 1;
  const bare: Tx = {
    version: 2,
    inputs: [
      {
        prevout: { txid: NULL_TXID, vout: 0xffffffff },
        scriptSig: coinbaseScript(height, extra),
        sequence: SEQUENCE_FINAL,
        witness: [WITNESS_RESERVED],
      },
    ],
    outputs: [{ value: subsidyAt(height) + fees, script: reward }],
    locktime: 0,
  };
  return { ...bare, outputs: [...bare.outputs, witnessCommitmentOutput([bare, ...txs])] };
}

/** A valid block, provided that what it is planned to hold is. */
export function mineBlock(plan: BlockPlan): Block {
  const txs = [coinbaseTx(plan), ...plan.txs];
  const header = mine({
    version: BLOCK_VERSION,
    previous: plan.previous.hash,
    merkleRoot: txMerkleRoot(txs).root,
    time: plan.time,
    bits: REGTEST_BITS,
    nonce: 0,
  });
  invariant(header, 'every other nonce meets the target');
  return { header, txs };
}
