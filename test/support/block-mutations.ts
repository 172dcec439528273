/** Blocks with something wrong, or merely odd: in the header, the roots, the coinbase or the transactions. */
import { concat, toHex } from '../../src/base/bytes.ts';
import { sumSats } from '../../src/base/units.ts';
import type { Block, BlockHash, BlockHeader } from '../../src/bitcoin/block.ts';
import { txMerkleRoot, WITNESS_RESERVED, witnessCommitmentOutput } from '../../src/bitcoin/merkle.ts';
import { hasProofOfWork, mine, REGTEST_BITS } from '../../src/bitcoin/proof-of-work.ts';
import { push, pushNumber, script } from '../../src/bitcoin/script.ts';
import { hasWitness, NULL_TXID, type Tx, txIn } from '../../src/bitcoin/tx.ts';
import { BLOCK_VERSION, subsidyAt } from '../../src/chain/regtest/params.ts';
import type { Forged } from './forge.ts';
import { BODY_MUTATIONS, type Dice, flipped, pick, UNLOCK_MUTATIONS } from './mutations.ts';
import type { TestChain } from './regtest.ts';

/** A block before its roots are computed and its nonce is found. */
export interface Draft {
  readonly header: Pick<BlockHeader, 'version' | 'previous' | 'time' | 'bits'>;
  readonly height: number;
  /** Makes blocks differ that are alike in everything else. */
  readonly extra: number;
  readonly coinbase: Tx;
  readonly txs: readonly Tx[];
}

const coinbaseScript = (height: number, extra: number): Uint8Array =>
  script(pushNumber(BigInt(height)), push(new Uint8Array(new Uint32Array([extra]).buffer)));

/** A sound block on the tip, as far as `forged` is sound. */
export async function draftOn({ chain, time }: TestChain, forged: readonly Forged[], extra: number): Promise<Draft> {
  const tip = await chain.tip();
  const height = tip.height + 1;
  const fees = sumSats(forged.map(feeOf));
  const input = { ...txIn({ txid: NULL_TXID, vout: 0xffffffff }), witness: [WITNESS_RESERVED] };
  const coinbase = {
    version: 2,
    inputs: [{ ...input, scriptSig: coinbaseScript(height, extra) }],
    outputs: [{ value: subsidyAt(height) + fees, script: chain.faucetScript }],
    locktime: 0,
  };
  return {
    header: {
      version: BLOCK_VERSION,
      previous: tip.hash as BlockHash,
      time: Math.max(time, tip.medianTime + 1),
      bits: REGTEST_BITS,
    },
    height,
    extra,
    coinbase,
    txs: forged.map(({ tx }) => tx),
  };
}

const feeOf = ({ tx, coins }: Forged): bigint =>
  sumSats(coins.map((coin) => coin.output.value)) - sumSats(tx.outputs.map((output) => output.value));

type DraftMutation = (draft: Draft, roll: Dice) => Draft;
type BlockMutation = (block: Block, roll: Dice) => Block;

const changed =
  (change: (tx: Tx, roll: Dice) => Tx): DraftMutation =>
  (draft, roll) => ({ ...draft, coinbase: change(draft.coinbase, roll) });

const withScript = (tx: Tx, scriptSig: Uint8Array): Tx => ({ ...tx, inputs: [{ ...tx.inputs[0]!, scriptSig }] });

const withValue = (tx: Tx, by: bigint): Tx => ({
  ...tx,
  outputs: tx.outputs.map((output, i) => (i === 0 ? { ...output, value: output.value + by } : output)),
});

const inHeader =
  (change: (header: Draft['header'], roll: Dice) => Partial<Draft['header']>): DraftMutation =>
  (draft, roll) => ({ ...draft, header: { ...draft.header, ...change(draft.header, roll) } });

const inTx =
  (mutations: typeof BODY_MUTATIONS): DraftMutation =>
  (draft, roll) => {
    const at = roll(Math.max(1, draft.txs.length));
    const mutate = pick(roll, Object.values(mutations));
    return { ...draft, txs: draft.txs.map((tx, i) => (i === at ? mutate(tx, roll) : tx)) };
  };

/** Before commitment, root and nonce, which then fit. */
const DRAFT_MUTATIONS: Readonly<Record<string, DraftMutation>> = {
  version: inHeader((_, roll) => ({ version: pick(roll, [-1, 0, 1, 2, 3, 4, 0x20000004, 0x3fffffff, 0x7fffffff]) })),
  previous: inHeader((_, roll) => ({ previous: pick(roll, ['ab', '00']).repeat(32) as BlockHash })),
  time: inHeader(({ time }, roll) => ({
    time: time + pick(roll, [-600, -100, -20, -12, -11, -10, -6, -5, -2, -1, 1, 10, 7_199, 7_200, 7_201, 90_000]),
  })),
  bits: inHeader((_, roll) => ({ bits: pick(roll, [0x207ffffe, 0x207ffffd, 0x2100ffff, 0x207fff7f]) })),
  reward: changed((tx, roll) => withValue(tx, BigInt(pick(roll, [-1_000, -1, 1, 2, 1_000_000])))),
  height: (draft, roll) => ({
    ...draft,
    coinbase: withScript(draft.coinbase, coinbaseScript(draft.height + pick(roll, [-1, 1, 256]), draft.extra)),
  }),
  longHeight: changed((tx, roll) => withScript(tx, concat(Uint8Array.of(pick(roll, [2, 3])), tx.inputs[0]!.scriptSig))),
  coinbaseScript: changed((tx, roll) => {
    const { scriptSig } = tx.inputs[0]!;
    const length = pick(roll, [0, 1, 2, scriptSig.length, 99, 100, 101]);
    const longer = new Uint8Array(length);
    longer.set(scriptSig.subarray(0, length));
    return withScript(tx, longer);
  }),
  coinbaseSequence: changed((tx, roll) => ({
    ...tx,
    inputs: [{ ...tx.inputs[0]!, sequence: pick(roll, [0, 1, 0xfffffffe]) }],
    locktime: pick(roll, [0, 1, 100, 2_000, 1_900_000_000]),
  })),
  coinbaseBody: changed((tx, roll) => pick(roll, Object.values(BODY_MUTATIONS))(tx, roll)),
  coinbaseVersion: changed((tx, roll) => ({ ...tx, version: pick(roll, [-1, 0, 1, 3, 99]) })),
  reserved: changed((tx, roll) => ({
    ...tx,
    inputs: [
      { ...tx.inputs[0]!, witness: pick(roll, [[], [new Uint8Array(31)], [WITNESS_RESERVED, WITNESS_RESERVED]]) },
    ],
  })),
  body: inTx(BODY_MUTATIONS),
  unlock: inTx(UNLOCK_MUTATIONS),
  dropped: ({ txs, ...draft }, roll) => {
    const at = roll(Math.max(1, txs.length));
    return { ...draft, txs: txs.filter((_, i) => i !== at) };
  },
  reordered: (draft) => ({ ...draft, txs: [...draft.txs].reverse() }),
  repeated: (draft, roll) => ({
    ...draft,
    txs: draft.txs.length ? [...draft.txs, pick(roll, draft.txs)] : [draft.coinbase],
  }),
  coinbaseTwice: (draft) => ({ ...draft, txs: [...draft.txs, draft.coinbase] }),
  coinbaseElsewhere: (draft) =>
    draft.txs.length ? { ...draft, coinbase: draft.txs[0]!, txs: [draft.coinbase, ...draft.txs.slice(1)] } : draft,
};

const inLast = (block: Block, change: (tx: Tx) => Tx): Block => ({
  ...block,
  txs: block.txs.map((tx, i) => (i === block.txs.length - 1 ? change(tx) : tx)),
});

/** After the roots were computed, which then do not fit; the nonce is found anew. */
const BLOCK_MUTATIONS: Readonly<Record<string, BlockMutation>> = {
  root: (block, roll) => ({
    ...block,
    header: { ...block.header, merkleRoot: flipped(block.header.merkleRoot, roll) },
  }),
  /** CVE-2012-2459. */
  twins: (block) => ({ ...block, txs: [...block.txs, block.txs.at(-1)!] }),
  commitment: (block, roll) => ({
    ...block,
    txs: block.txs.map((tx, i) =>
      i === 0
        ? { ...tx, outputs: tx.outputs.map((out, n) => (n ? { ...out, script: flipped(out.script, roll) } : out)) }
        : tx,
    ),
  }),
  uncommitted: (block) => ({
    ...block,
    txs: block.txs.map((tx, i) => (i === 0 ? { ...tx, outputs: tx.outputs.slice(0, 1) } : tx)),
  }),
  unlockAfter: (block, roll) => inLast(block, (tx) => pick(roll, Object.values(UNLOCK_MUTATIONS))(tx, roll)),
  bodyAfter: (block, roll) => inLast(block, (tx) => pick(roll, Object.values(BODY_MUTATIONS))(tx, roll)),
};

function sealed({ header, coinbase, txs }: Draft): Block {
  const committed = { ...coinbase, outputs: [...coinbase.outputs, witnessCommitmentOutput([coinbase, ...txs])] };
  const all = [committed, ...txs];
  return { header: { ...header, merkleRoot: txMerkleRoot(all).root, nonce: 0 }, txs: all };
}

/** What `submitblock` of bitcoind does: a coinbase with a commitment gets the witness that it lacks. */
function completed(block: Block): Block {
  const [first, ...rest] = block.txs as [Tx, ...Tx[]];
  const commits = first.outputs.some(({ script: output }) => toHex(output).startsWith('6a24aa21a9ed'));
  if (!commits || hasWitness(first)) return block;
  const inputs = first.inputs.map((input, i) => (i === 0 ? { ...input, witness: [WITNESS_RESERVED] } : input));
  return { ...block, txs: [{ ...first, inputs }, ...rest] };
}

const reground = (block: Block): Block => ({ ...block, header: mine({ ...block.header, nonce: 0 }) ?? block.header });

/** The first nonce that does not do. */
export function unmined(block: Block): Block {
  for (let nonce = 0; ; nonce++) {
    const header = { ...block.header, nonce };
    if (!hasProofOfWork(header)) return { ...block, header };
  }
}

/** A block of `draft`, sound one time in eight, damaged in one or two places the others. */
export function mutatedBlock(draft: Draft, roll: Dice): Block {
  const kind = roll(8);
  let changing = draft;
  if (kind > 0 && kind < 6) changing = pick(roll, Object.values(DRAFT_MUTATIONS))(changing, roll);
  if (kind === 1) changing = pick(roll, Object.values(DRAFT_MUTATIONS))(changing, roll);
  let block = sealed(changing);
  if (kind >= 5 && kind < 7) {
    block = pick(roll, Object.values(BLOCK_MUTATIONS))(block, roll);
    // Half of the time the header at least knows of it.
    if (roll(2) === 0) block = { ...block, header: { ...block.header, merkleRoot: txMerkleRoot(block.txs).root } };
  }
  block = completed(block);
  return kind === 7 && roll(4) === 0 ? unmined(block) : reground(block);
}
