/** Blocks that break one rule each, on top of a chain's tip, with bitcoind's reason for refusing them. */
import { concat } from '../../src/base/bytes.ts';
import { height as toHeight, unixSeconds } from '../../src/base/units.ts';
import { type Block, type BlockHash, type BlockHeader, parseBlock, serializeBlock } from '../../src/bitcoin/block.ts';
import { txMerkleRoot, WITNESS_RESERVED, witnessCommitmentOutput } from '../../src/bitcoin/merkle.ts';
import { hasProofOfWork, mine } from '../../src/bitcoin/proof-of-work.ts';
import { OP, push, pushNumber, script } from '../../src/bitcoin/script.ts';
import { NULL_TXID, type Tx, type TxOut } from '../../src/bitcoin/tx.ts';
import { subsidyAt } from '../../src/chain/regtest/params.ts';
import { coinOf, pay, sign, spend, type TestChain, type TestCoin } from './regtest.ts';

export interface Parts {
  readonly coinbase: Tx;
  readonly txs: readonly Tx[];
  readonly header: Partial<BlockHeader>;
  /** Whether to commit to the witnesses. */
  readonly commits: boolean;
}

/** Puts a block together on the tip and finds its nonce. */
export async function assemble({ chain, time }: TestChain, change: (parts: Parts) => Partial<Parts>): Promise<Block> {
  const tip = await chain.tip();
  const height = tip.height + 1;
  const plain: Parts = {
    coinbase: {
      version: 2,
      inputs: [
        {
          prevout: { txid: NULL_TXID, vout: 0xffffffff },
          scriptSig: script(pushNumber(BigInt(height)), push(Uint8Array.of(7, 7))),
          sequence: 0xffffffff,
          witness: [WITNESS_RESERVED],
        },
      ],
      outputs: [{ value: subsidyAt(height), script: chain.faucetScript }],
      locktime: 0,
    },
    txs: [],
    header: {},
    commits: true,
  };
  const { coinbase, txs, header, commits } = { ...plain, ...change(plain) };
  const outputs = commits ? [...coinbase.outputs, witnessCommitmentOutput([coinbase, ...txs])] : coinbase.outputs;
  const all = [{ ...coinbase, outputs }, ...txs];
  const mined = mine({
    version: 0x20000000,
    previous: tip.hash as BlockHash,
    merkleRoot: txMerkleRoot(all).root,
    time: Math.max(time, tip.medianTime + 1),
    bits: 0x207fffff,
    nonce: 0,
    ...header,
  });
  return { header: mined!, txs: all };
}

const withInput = (coinbase: Tx, change: Partial<Tx['inputs'][number]>): Tx => ({
  ...coinbase,
  inputs: [{ ...coinbase.inputs[0]!, ...change }],
});

const withMore = (coinbase: Tx, ...outputs: readonly TxOut[]): Tx => ({
  ...coinbase,
  outputs: [...coinbase.outputs, ...outputs],
});

/** The first nonce that does not do. */
function unmined(block: Block): Block {
  for (let nonce = 0; ; nonce++) {
    const header = { ...block.header, nonce };
    if (!hasProofOfWork(header)) return { ...block, header };
  }
}

const repeated = (block: Block): Block => ({ ...block, txs: [...block.txs, block.txs.at(-1)!] });

const bulk = (bytes: number): TxOut => ({ value: 0n, script: concat(Uint8Array.of(OP.RETURN), new Uint8Array(bytes)) });

export interface BadBlock {
  readonly reason: string;
  readonly block: Block;
}

/** Needs a chain of at least 110 blocks whose last ten belong to nobody. */
export async function badBlocks(world: TestChain): Promise<readonly BadBlock[]> {
  const { chain, locks } = world;
  const [a, b] = (await world.fund([locks.p2wpkh, locks.p2tr])) as [TestCoin, TestCoin];
  const tip = await chain.tip();
  const recent = (await chain.unspent(chain.faucetScript)).find(
    (coin) => coin.isCoinbase && coin.confirmation!.height > 50,
  )!;
  const young: TestCoin = { outpoint: recent.outpoint, output: recent, lock: locks.p2tr };
  const good = spend([a], [pay(locks.p2tr, 99_000n)]);
  const next = spend([coinOf(good, 0, locks.p2tr)], [pay(locks.p2tr, 98_000n)]);
  const make = async (reason: string, change: (parts: Parts) => Partial<Parts>): Promise<BadBlock> => ({
    reason,
    block: await assemble(world, change),
  });
  const txs =
    (...list: readonly Tx[]) =>
    () => ({ txs: list });
  const early = sign(
    {
      ...spend([a], [pay(locks.p2tr, 1n)], { locktime: tip.height + 1 }),
      inputs: good.inputs.map((i) => ({ ...i, sequence: 0 })),
    },
    [a],
  );
  const soon = spend([a], [pay(locks.p2tr, 99_000n)], { sequences: [5] });
  const reused = spend([a, b], [pay(locks.p2tr, 199_000n)]);
  const plain = await assemble(world, () => ({}));
  const twoMore = await assemble(world, txs(good, next));
  return [
    { reason: 'high-hash', block: unmined(plain) },
    { reason: 'bad-txns-duplicate', block: repeated(twoMore) },
    { reason: 'bad-txnmrklroot', block: { ...plain, txs: [...plain.txs, good] } },
    await make('bad-diffbits', () => ({ header: { bits: 0x207ffffe } })),
    await make('time-too-old', () => ({ header: { time: tip.medianTime } })),
    await make('time-too-new', () => ({ header: { time: unixSeconds(world.time + 7_300) } })),
    await make('bad-version', () => ({ header: { version: 3 } })),
    await make('bad-cb-missing', () => ({ coinbase: good, commits: false })),
    await make('bad-cb-multiple', ({ coinbase }) => ({ txs: [{ ...coinbase, locktime: 1 }] })),
    await make('bad-cb-length', ({ coinbase }) => ({
      coinbase: withInput(coinbase, { scriptSig: new Uint8Array(101) }),
    })),
    await make('bad-cb-height', ({ coinbase }) => ({
      coinbase: withInput(coinbase, {
        scriptSig: script(pushNumber(BigInt(toHeight(tip.height))), push(Uint8Array.of(1))),
      }),
    })),
    await make('bad-cb-amount', ({ coinbase }) => ({ coinbase: withMore(coinbase, pay(locks.p2tr, 1n)) })),
    await make('bad-witness-merkle-match', ({ coinbase }) => ({
      coinbase: withMore(coinbase, witnessCommitmentOutput([coinbase])),
      txs: [good],
      commits: false,
    })),
    await make('bad-witness-nonce-size', ({ coinbase }) => ({
      coinbase: withInput(coinbase, { witness: [new Uint8Array(31)] }),
    })),
    await make('unexpected-witness', () => ({ txs: [good], commits: false })),
    await make('bad-blk-length', ({ coinbase }) => ({ coinbase: withMore(coinbase, bulk(1_000_000)) })),
    await make('bad-blk-weight', ({ coinbase }) => ({
      coinbase: withMore(coinbase, bulk(900_000)),
      txs: [{ ...good, inputs: good.inputs.map((input) => ({ ...input, witness: [new Uint8Array(500_000)] })) }],
    })),
    await make('bad-blk-sigops', ({ coinbase }) => ({
      coinbase: withMore(coinbase, { value: 0n, script: new Uint8Array(20_001).fill(OP.CHECKSIG) }),
    })),
    await make('bad-txns-vout-negative', txs({ ...good, outputs: [pay(locks.p2tr, -1n)] })),
    await make('bad-txns-nonfinal', txs(early)),
    await make('bad-txns-nonfinal', txs(soon)),
    await make('bad-txns-inputs-missingorspent', txs(next)),
    await make('bad-txns-inputs-missingorspent', txs(next, good)),
    await make('bad-txns-inputs-missingorspent', txs(good, reused)),
    await make('bad-txns-in-belowout', txs(spend([a], [pay(locks.p2tr, 100_001n)]))),
    await make('bad-txns-premature-spend-of-coinbase', txs(spend([young], [pay(locks.p2tr, 1_000n)]))),
    await make('mandatory-script-verify-flag-failed', txs({ ...good, outputs: [pay(locks.p2tr, 98_999n)] })),
  ];
}

/** As it comes over a wire, so that nothing is known of it. */
export const received = (block: Block): Block => parseBlock(serializeBlock(block));
