import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildCommitment, type CommitmentPlan, type WalletCoin } from '../../../../src/ark/protocol/commitment.ts';
import { controlBlockFor, defaultVtxo } from '../../../../src/ark/protocol/vtxo.ts';
import { InvariantError } from '../../../../src/base/errors.ts';
import { feeRate, sumSats } from '../../../../src/base/units.ts';
import { p2tr } from '../../../../src/bitcoin/script.ts';
import { relativeTimelock } from '../../../../src/bitcoin/timelock.ts';
import { type TxOut, vsizeOf } from '../../../../src/bitcoin/tx.ts';
import { key, outpoint, owner, secp, signer } from './support.ts';

const script = (n: number) => p2tr(key(n).xonly);
const out = (value: number | bigint, n = 20): TxOut => ({ value: BigInt(value), script: script(n) });
const coin = (i: number, value: number): WalletCoin => ({ outpoint: outpoint(i), output: out(value, 30) });
const boardingScript = defaultVtxo(secp, owner.xonly, signer.xonly, relativeTimelock(40));
const [leaf] = boardingScript.scripts;
const boarding = (i: number, value: number) => ({
  outpoint: outpoint(i),
  output: { value: BigInt(value), script: boardingScript.script },
  leafScript: leaf!,
  controlBlock: controlBlockFor(boardingScript, leaf!)!,
  signatures: 2,
});

const PLAN: CommitmentPlan = {
  batch: out(50_000, 21),
  connectors: out(660, 22),
  onchain: [out(10_000, 23)],
  boarding: [],
  changeScript: script(30),
  feeRate: feeRate(2),
  dust: 330n,
};

test('outputs stand where clients look for them, with what there is of batch, connectors and receivers', () => {
  const scripts = (plan: Partial<CommitmentPlan>) =>
    buildCommitment({ ...PLAN, ...plan }, [coin(1, 500_000)])!.psbt.tx.outputs.map((output) => output.script);
  const [batch, connectors, onchain, change] = [21, 22, 23, 30].map(script);
  assert.deepEqual(scripts({}), [batch, connectors, onchain, change]);
  assert.deepEqual(scripts({ connectors: undefined }), [batch, onchain, change]);
  assert.deepEqual(scripts({ batch: undefined }), [onchain, connectors, change]);
  assert.deepEqual(scripts({ batch: undefined, onchain: [out(1_000, 24), out(2_000, 25)] }), [
    script(24),
    connectors,
    script(25),
    change,
  ]);
  assert.throws(() => scripts({ batch: undefined, onchain: [] }), InvariantError);
});

test('coins are taken in order until they cover outputs and fee; wallet inputs stand before boarding inputs', () => {
  const coins = [coin(1, 30_000), coin(2, 40_000), coin(3, 50_000)];
  const built = buildCommitment({ ...PLAN, boarding: [boarding(9, 5_000)] }, coins)!;
  assert.deepEqual(built.coins, coins.slice(0, 2));
  assert.deepEqual(
    built.psbt.tx.inputs.map(({ prevout }) => prevout),
    [1, 2, 9].map((i) => outpoint(i)),
  );
  assert.deepEqual(
    built.psbt.inputs.map(({ witnessUtxo }) => witnessUtxo?.value),
    [30_000n, 40_000n, 5_000n],
  );
  assert.equal(built.psbt.tx.version, 2);
  assert.equal(buildCommitment(PLAN, [coin(1, 30_000), coin(2, 30_000)]), undefined);
  assert.equal(buildCommitment(PLAN, []), undefined);
});

test('boarding coins alone may pay for a batch', () => {
  const built = buildCommitment({ ...PLAN, connectors: undefined, onchain: [], boarding: [boarding(9, 60_000)] }, [])!;
  assert.deepEqual(built.coins, []);
  assert.equal(built.psbt.tx.outputs.length, 2);
});

test('one outpoint is not spent twice', () => {
  assert.throws(() => buildCommitment({ ...PLAN, boarding: [boarding(1, 5_000)] }, [coin(1, 90_000)]), InvariantError);
});

test('change below dust goes to the fee', () => {
  const owed = 60_660;
  for (const spare of [0, 200, 329, 330, 400, 5_000]) {
    const built = buildCommitment(PLAN, [coin(1, owed + 700 + spare)]);
    if (!built) continue;
    const { outputs } = built.psbt.tx;
    const change = outputs.length === 4 ? outputs[3]!.value : 0n;
    assert.ok(change === 0n || change >= 330n);
    assert.equal(built.fee + change, BigInt(700 + spare));
  }
});

test('whatever the coins, inputs are outputs plus fee, and the fee pays the rate for the signed size', () => {
  const values = fc.array(fc.integer({ min: 500, max: 200_000 }), { maxLength: 8 });
  fc.assert(
    fc.property(values, values, fc.integer({ min: 1, max: 50 }), fc.boolean(), (wallet, board, rate, connected) => {
      const plan: CommitmentPlan = {
        ...PLAN,
        feeRate: feeRate(rate),
        connectors: connected ? PLAN.connectors : undefined,
        boarding: board.map((value, i) => boarding(100 + i, value)),
      };
      const built = buildCommitment(
        plan,
        wallet.map((value, i) => coin(i + 1, value)),
      );
      const available = BigInt([...wallet, ...board].reduce((sum, value) => sum + value, 0));
      if (!built) return assert.ok(available < 400_000n + BigInt(rate) * 2_000n);
      const { tx, inputs } = built.psbt;
      const [held, paid] = [
        sumSats(inputs.map((input) => input.witnessUtxo!.value)),
        sumSats(tx.outputs.map(({ value }) => value)),
      ];
      assert.equal(held, paid + built.fee);
      const signed = tx.inputs.map((input, i) => {
        const isWallet = i < built.coins.length;
        const signature = new Uint8Array(64);
        const { leafScript, controlBlock } =
          plan.boarding[i - built.coins.length] ?? plan.boarding[0] ?? boarding(1, 1);
        return { ...input, witness: isWallet ? [signature] : [signature, signature, leafScript, controlBlock] };
      });
      assert.ok(built.fee >= BigInt(Math.ceil(vsizeOf({ ...tx, inputs: signed }) * rate)));
    }),
    { numRuns: 150 },
  );
});
