import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Estimator } from '@arkade-os/sdk';
import fc from 'fast-check';
import { intentFee, type PricedIntent, parseFeePrograms } from '../../../../src/ark/protocol/fee.ts';
import type { IntentFeePrograms } from '../../../../src/ark/protocol/settings.ts';
import { fromHex, toHex } from '../../../../src/base/bytes.ts';
import { unixSeconds } from '../../../../src/base/units.ts';
import { codeOf } from './support.ts';

const FREE: IntentFeePrograms = { offchainInput: '', offchainOutput: '', onchainInput: '', onchainOutput: '' };
const NOW = unixSeconds(1_700_000_000);
const intent: PricedIntent = {
  offchainInputs: [
    {
      amount: 10_000n,
      type: 'vtxo',
      weight: 100,
      expiry: unixSeconds(1_700_001_000),
      birth: unixSeconds(1_600_000_000),
    },
    { amount: 777n, type: 'recoverable', weight: 0, expiry: NOW, birth: NOW },
    { amount: 50n, type: 'note', weight: 0, expiry: NOW, birth: NOW },
  ],
  onchainInputs: [{ amount: 21_000n }],
  offchainOutputs: [{ amount: 9_000n, script: fromHex('5120aa') }],
  onchainOutputs: [{ amount: 1_001n, script: fromHex('0014bb') }],
};

function sdkFee(programs: IntentFeePrograms, priced: PricedIntent): number {
  const at = (seconds: number | undefined) => new Date((seconds ?? 0) * 1000);
  const outputs = (list: PricedIntent['offchainOutputs']) =>
    list.map(({ amount, script }) => ({ amount, script: toHex(script) }));
  const fee = new Estimator(programs).evaluate(
    priced.offchainInputs.map(({ expiry, birth, ...input }) => ({ ...input, expiry: at(expiry), birth: at(birth) })),
    [...priced.onchainInputs],
    outputs(priced.offchainOutputs),
    outputs(priced.onchainOutputs),
  );
  return Number.isNaN(fee.value) ? Number.NaN : fee.satoshis;
}

test('fees are those the SDK computes', () => {
  const programs: readonly Partial<IntentFeePrograms>[] = [
    {},
    { offchainInput: '0.0', offchainOutput: '0.0', onchainInput: '0.0', onchainOutput: '0.0' },
    { offchainInput: 'amount * 0.01' },
    { offchainInput: "inputType == 'note' || inputType == 'recoverable' ? 0.0 : 200.5" },
    { offchainInput: 'weight * 0.25 + (expiry - birth) / 1000000.0' },
    { onchainInput: 'amount < 30000.0 ? 12.3 : 0.0', onchainOutput: "script == '0014bb' ? 200.0 : 1.0" },
    { offchainInput: 'amount / 3.0', offchainOutput: 'amount / 7.0', onchainInput: '0.1', onchainOutput: '0.2' },
  ];
  for (const change of programs) {
    const program = parseFeePrograms({ ...FREE, ...change });
    assert.equal(intentFee(program, intent, NOW), BigInt(sdkFee(program, intent)), JSON.stringify(change));
  }
});

/** Expressions over doubles, of the variables a program may use. */
const expressions = (variables: readonly string[]): fc.Arbitrary<string> =>
  fc.letrec<{ expression: string; condition: string }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.double({ min: -1000, max: 1000, noNaN: true }).map((value) => {
        const text = value.toFixed(4);
        return value < 0 ? `(${text})` : text;
      }),
      fc.constantFrom(...variables),
      fc
        .tuple(tie('expression'), fc.constantFrom('+', '-', '*', '/'), tie('expression'))
        .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
      fc
        .tuple(tie('condition'), tie('expression'), tie('expression'))
        .map(([condition, yes, no]) => `(${condition} ? ${yes} : ${no})`),
    ),
    condition: fc
      .tuple(tie('expression'), fc.constantFrom('<', '>=', '=='), tie('expression'))
      .map(([left, operator, right]) => `${left} ${operator} ${right}`),
  })).expression;

const amounts = fc.bigInt({ min: 1n, max: 2_100_000_000_000_000n });
const seconds = fc.integer({ min: 1, max: 2_000_000_000 });
const pricedOutputs = fc.array(fc.record({ amount: amounts, script: fc.uint8Array({ minLength: 1, maxLength: 40 }) }), {
  maxLength: 4,
});
const intents: fc.Arbitrary<PricedIntent> = fc.record({
  offchainInputs: fc.array(
    fc.record({
      amount: amounts,
      type: fc.constantFrom('vtxo' as const, 'recoverable' as const, 'note' as const),
      weight: fc.integer({ min: 0, max: 1000 }),
      expiry: seconds,
      birth: seconds.map(unixSeconds),
    }),
    { maxLength: 5 },
  ),
  onchainInputs: fc.array(fc.record({ amount: amounts }), { maxLength: 3 }),
  offchainOutputs: pricedOutputs,
  onchainOutputs: pricedOutputs,
});
const randomPrograms: fc.Arbitrary<IntentFeePrograms> = fc.record({
  offchainInput: fc.oneof(
    expressions(['amount', 'expiry', 'birth', 'weight', 'now()', "(inputType == 'note' ? 1.0 : 0.1)"]),
    fc.constant(''),
  ),
  onchainInput: fc.oneof(expressions(['amount', 'now()']), fc.constant('')),
  offchainOutput: expressions(['amount', 'now()', "(script.startsWith('51') ? 0.3 : 0.7)"]),
  onchainOutput: expressions(['amount', '0.1', '0.2']),
});

test('whatever the programs and the intent, fees are those the SDK computes, to the satoshi', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: NOW * 1000 });
  let compared = 0;
  fc.assert(
    fc.property(randomPrograms, intents, (programs, priced) => {
      const theirs = sdkFee(programs, priced);
      if (!Number.isFinite(theirs) || theirs > 2_100_000_000_000_000) {
        assert.equal(
          codeOf(() => intentFee(programs, priced, NOW)),
          'INTENT_FEE_EVALUATION_FAILED',
        );
        return;
      }
      compared++;
      // The server never pays for being used.
      assert.equal(intentFee(programs, priced, NOW), BigInt(Math.max(0, theirs)), JSON.stringify(programs));
    }),
    { numRuns: 2_000 },
  );
  assert.ok(compared > 500, `only ${compared} comparisons`);
});

test('amounts are added in the order in which clients add them: doubles are not associative', () => {
  const tenths = { ...FREE, offchainInput: '0.1', onchainInput: '0.2', onchainOutput: '0.3' };
  const many: PricedIntent = {
    ...intent,
    offchainInputs: Array.from({ length: 3 }, () => intent.offchainInputs[0]!),
    onchainInputs: Array.from({ length: 2 }, () => ({ amount: 1n })),
    onchainOutputs: [intent.onchainOutputs[0]!],
  };
  assert.equal(intentFee(tenths, many, NOW), BigInt(sdkFee(tenths, many)));
});

test('a part of a satoshi counts as a whole one, and only once over all', () => {
  const fee = (change: Partial<IntentFeePrograms>) => intentFee({ ...FREE, ...change }, intent, NOW);
  assert.equal(fee({ onchainInput: '0.4' }), 1n);
  assert.equal(fee({ onchainInput: '0.4', onchainOutput: '0.6' }), 1n);
  assert.equal(fee({ onchainInput: '0.4', onchainOutput: '0.7' }), 2n);
  assert.equal(fee({ onchainInput: '-5.0' }), 0n);
});

test('now() is the time handed in', () => {
  assert.equal(intentFee({ ...FREE, onchainInput: 'now() - 1699999990.0' }, intent, NOW), 10n);
});

test('a program that is none is refused when it is set', () => {
  const texts = [
    'invalid syntax here !!!',
    'amount +',
    "'hello'",
    '42',
    'true',
    'undefinedVar * 2.0',
    "amount + 'string'",
    'invalidFunction()',
    ' ',
  ];
  for (const name of Object.keys(FREE) as (keyof IntentFeePrograms)[]) {
    for (const text of texts) {
      assert.equal(
        codeOf(() => parseFeePrograms({ ...FREE, [name]: text })),
        'INTENT_FEE_EVALUATION_FAILED',
        text,
      );
    }
  }
  const foreign = { ...FREE, onchainInput: "inputType == 'vtxo' ? 0.0 : 100.0" };
  assert.equal(
    codeOf(() => parseFeePrograms(foreign)),
    'INTENT_FEE_EVALUATION_FAILED',
  );
});

test('a program that fails on an intent, or gives no amount, is refused', () => {
  const { expiry: _, ...unknownExpiry } = intent.offchainInputs[0]!;
  const without: PricedIntent = { ...intent, offchainInputs: [unknownExpiry] };
  const evaluate = (text: string) => () => intentFee({ ...FREE, offchainInput: text }, without, NOW);
  for (const text of ['expiry * 1.0', '1.0 / 0.0', '0.0 / 0.0', '1e300', 'amount * 1e20']) {
    assert.equal(codeOf(evaluate(text)), 'INTENT_FEE_EVALUATION_FAILED', text);
  }
});

test('no text throws anything else', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseFeePrograms({ ...FREE, onchainInput: text });
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'INTENT_FEE_EVALUATION_FAILED');
      }
    }),
  );
});
