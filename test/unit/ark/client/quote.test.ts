/** Threats 24, 25 and 27: what an exit would cost, told before anybody needs it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeptVtxo } from '../../../../src/ark/client/exit-store.ts';
import { lifeOf } from '../../../../src/ark/client/life.ts';
import { type QuoteRequest, quoteExit } from '../../../../src/ark/client/quote.ts';
import { finalize } from '../../../../src/ark/protocol/leaf-spend.ts';
import { feeRate } from '../../../../src/base/units.ts';
import { relativeTimelock } from '../../../../src/bitcoin/timelock.ts';
import { txidOf } from '../../../../src/bitcoin/tx.ts';
import { packageVsize } from '../../../../src/txgraph/cost.ts';
import { codeOf, secp } from '../protocol/support.ts';
import { AMOUNT, alice, forge } from './forged-lineage.ts';
import { EXPIRY } from './support.ts';

const made = forge();
const vtxo: KeptVtxo = {
  outpoint: made.leaf,
  output: { value: AMOUNT, script: alice.vtxo.script },
  tapTree: alice.vtxo.scripts,
  roots: [{ commitmentTxid: txidOf(made.commitment), expiry: EXPIRY }],
};
const txs = [made.graph.root, made.leaf.txid].map((txid) => finalize(made.psbts.get(txid)!));
const tip = { height: 110, medianTime: 1_700_006_000 };
const life = lifeOf({
  expiry: EXPIRY,
  confirmation: { height: 100, blockTime: 1_700_000_000 },
  tip,
  depth: 2,
  exitDelay: relativeTimelock(20),
});
const request: QuoteRequest = { vtxo, txs, rate: feeRate(2), coins: [10_000n], tip, dust: 330n, life };
const quote = (change: Partial<QuoteRequest> = {}) => quoteExit(secp, alice.publicKey, { ...request, ...change });

test('an exit of two transactions and a claim', () => {
  const { transactions, vbytes, unrollFee, claimFee, value, net, isWorthIt, blocks, delay, seconds, shortfall } =
    quote();
  const sizes = txs.map(packageVsize);
  assert.equal(transactions, 2);
  assert.equal(unrollFee, BigInt(sizes[0]! * 2 + sizes[1]! * 2));
  assert.equal(BigInt(vbytes) * 2n, unrollFee + claimFee);
  assert.deepEqual([value, net, isWorthIt], [AMOUNT, AMOUNT - unrollFee - claimFee, true]);
  assert.deepEqual([blocks, delay, seconds, shortfall], [2, relativeTimelock(20), 22 * 600, 0n]);
  assert.equal(quote().latestStart, 244 - 4 - 20);
  assert.equal(quote().crowd, undefined);
});

test('what stands on chain already costs nothing more', () => {
  const { transactions, unrollFee, blocks, seconds } = quote({ txs: [] });
  assert.deepEqual([transactions, unrollFee, blocks, seconds], [0, 0n, 0, 20 * 600]);
});

test('at a rate that eats it up it is not worth leaving', () => {
  const dear = quote({ rate: feeRate(100) });
  assert.equal(dear.isWorthIt, false);
  assert.ok(dear.net < 0n);
});

test('a fee wallet that lacks something is told how much', () => {
  const { shortfall, unrollFee } = quote({ coins: [] });
  assert.equal(shortfall, unrollFee + 330n);
  assert.equal(quote({ coins: [shortfall] }).shortfall, 0n);
});

test('a crowd at the door: longer, dearer, and perhaps too late', () => {
  const rate = feeRate(50);
  const few = quote({ crowd: { exits: 10, rate } }).crowd!;
  assert.deepEqual([few.blocks, few.isInTime], [2, true]);
  assert.equal(few.fee, quote({ rate, coins: [] }).unrollFee + quote({ rate }).claimFee);
  assert.equal(few.net, AMOUNT - few.fee);
  const many = quote({ crowd: { exits: 100_000, rate } }).crowd!;
  assert.ok(many.blocks > 100);
  assert.equal(many.isInTime, many.blocks + 110 < 244);
  const all = quote({ crowd: { exits: 1_000_000, rate } }).crowd!;
  assert.equal(all.isInTime, false);
  assert.ok(quote({ crowd: { exits: 100_000, rate, blockVbytes: 50_000 } }).crowd!.blocks > many.blocks);
});

test('a script that does not let its owner out alone', () => {
  assert.equal(
    codeOf(() => quoteExit(secp, new Uint8Array(32), request)),
    'EXIT_IMPOSSIBLE',
  );
});
