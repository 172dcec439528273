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

const sdkFee = (programs: IntentFeePrograms): bigint => {
  const at = (seconds: number | undefined) => new Date((seconds ?? 0) * 1000);
  const outputs = (list: PricedIntent['offchainOutputs']) =>
    list.map(({ amount, script }) => ({ amount, script: toHex(script) }));
  const fee = new Estimator(programs).evaluate(
    intent.offchainInputs.map(({ expiry, birth, ...input }) => ({ ...input, expiry: at(expiry), birth: at(birth) })),
    [...intent.onchainInputs],
    outputs(intent.offchainOutputs),
    outputs(intent.onchainOutputs),
  );
  return BigInt(fee.satoshis);
};

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
    assert.equal(intentFee(program, intent, NOW), sdkFee(program), JSON.stringify(change));
  }
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
