import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { WalletCoin } from '../../../../src/ark/protocol/commitment.ts';
import { buildWithdrawal, type Withdrawal, type WithdrawalPlan } from '../../../../src/ark/protocol/withdrawal.ts';
import type { Txid } from '../../../../src/base/bytes.ts';
import { feeRate, sumSats } from '../../../../src/base/units.ts';
import { p2tr, p2wpkh } from '../../../../src/bitcoin/script.ts';
import { vsizeOf } from '../../../../src/bitcoin/tx.ts';
import { owner, signer } from './support.ts';

const DUST = 330n;
const WALLET = p2tr(owner.xonly);
const PLAN: WithdrawalPlan = {
  script: p2wpkh(signer.xonly.slice(0, 20)),
  amount: 50_000n,
  changeScript: WALLET,
  keep: 0n,
  feeRate: feeRate(2),
  dust: DUST,
};
const coinsOf = (...values: bigint[]): WalletCoin[] =>
  values.map((value, i) => ({
    outpoint: { txid: i.toString(16).padStart(64, '0') as Txid, vout: 0 },
    output: { value, script: WALLET },
  }));
const values = (coins: readonly WalletCoin[]): bigint[] => coins.map(({ output }) => output.value);

/** What it costs once it is signed. */
function signedSize({ tx }: Withdrawal): number {
  return vsizeOf({ ...tx, inputs: tx.inputs.map((input) => ({ ...input, witness: [new Uint8Array(64)] })) });
}

test('a coin that fits goes without change, the smallest that suffices before a larger one', () => {
  const fitting = buildWithdrawal(PLAN, coinsOf(1_000_000n, 50_250n, 60_000n))!;
  assert.deepEqual([values(fitting.coins), fitting.tx.outputs.length], [[50_250n], 1]);
  const smallest = buildWithdrawal(PLAN, coinsOf(1_000_000n, 70_000n, 300_000n))!;
  assert.deepEqual([values(smallest.coins), smallest.tx.outputs.length], [[70_000n], 2]);
});

test('several coins that fit together go without change, too', () => {
  const { coins, tx, fee } = buildWithdrawal(PLAN, coinsOf(10_000_000n, 30_400n, 20_000n, 7_000n))!;
  assert.deepEqual([values(coins), tx.outputs.length], [[30_400n, 20_000n], 1]);
  assert.equal(fee, 400n);
});

test('small coins are put together, and those not worth their input stay', () => {
  const dear = { ...PLAN, feeRate: feeRate(100) };
  assert.equal(buildWithdrawal(dear, coinsOf(...Array(100).fill(5_000n))), undefined);
  const some = buildWithdrawal(dear, coinsOf(5_000n, 40_000n, 30_000n, 5_700n))!;
  assert.deepEqual(values(some.coins), [40_000n, 30_000n]);
});

test('what the coins do not cover is not built', () => {
  assert.equal(buildWithdrawal(PLAN, []), undefined);
  assert.equal(buildWithdrawal(PLAN, coinsOf(50_000n)), undefined);
  assert.equal(buildWithdrawal({ ...PLAN, amount: 'all' }, coinsOf(500n)), undefined);
  assert.equal(buildWithdrawal({ ...PLAN, amount: 'all' }, []), undefined);
});

test('all there is arrives, less the fee', () => {
  const { tx, amount, fee, coins } = buildWithdrawal({ ...PLAN, amount: 'all' }, coinsOf(10_000n, 100n, 90_000n))!;
  assert.equal(coins.length, 2);
  assert.deepEqual(tx.outputs, [{ value: amount, script: PLAN.script }]);
  assert.equal(amount + fee, 100_000n);
});

test('what must stay, stays', () => {
  const coins = coinsOf(60_000n, 40_000n);
  assert.equal(buildWithdrawal({ ...PLAN, keep: 50_000n }, coins), undefined);
  assert.ok(buildWithdrawal({ ...PLAN, keep: 49_000n }, coins));
  const { tx, amount, fee } = buildWithdrawal({ ...PLAN, amount: 'all', keep: 30_000n }, coins)!;
  assert.deepEqual(tx.outputs[1], { value: 30_000n, script: WALLET });
  assert.equal(amount + fee, 70_000n);
  assert.equal(buildWithdrawal({ ...PLAN, amount: 'all', keep: 100_000n }, coins), undefined);
});

test('whatever the coins: it pays exactly what was asked, enough for its size, and never much more', () => {
  const plans = fc.record({
    amount: fc.bigInt({ min: DUST, max: 5_000_000n }),
    rate: fc.double({ min: 1, max: 200, noNaN: true }),
    amounts: fc.array(fc.bigInt({ min: 1n, max: 2_000_000n }), { maxLength: 25 }),
  });
  fc.assert(
    fc.property(plans, ({ amount, rate, amounts }) => {
      const plan = { ...PLAN, amount, feeRate: feeRate(rate) };
      const built = buildWithdrawal(plan, coinsOf(...amounts));
      const worth = amounts.map((value) => Number(value) - 58 * rate).filter((value) => value > 0);
      const most = worth.reduce((sum, value) => sum + value, 0) - 100 * rate;
      if (!built) return assert.ok(most < Number(amount) + 1, 'the coins would have sufficed');
      const { tx, coins, fee } = built;
      assert.equal(tx.outputs[0]!.value, amount);
      assert.equal(sumSats(values(coins)), sumSats(tx.outputs.map(({ value }) => value)) + fee);
      assert.equal(new Set(coins).size, coins.length);
      for (const { value } of tx.outputs) assert.ok(value >= DUST);
      assert.ok(Number(fee) >= signedSize(built) * rate, 'pays for its size');
      const slack = Math.max(Number(DUST), 0) + (58 + 43 + 2) * rate + coins.length * rate;
      assert.ok(Number(fee) <= signedSize(built) * rate + slack, 'pays little more');
    }),
    { numRuns: 500 },
  );
});
