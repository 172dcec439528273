/** Small damage to transactions, of the kinds that the rules are there for. */
import { concat, type Txid } from '../../src/base/bytes.ts';
import { COIN, MAX_MONEY } from '../../src/base/units.ts';
import { OP, P2A_SCRIPT, push, script } from '../../src/bitcoin/script.ts';
import type { Tx, TxIn } from '../../src/bitcoin/tx.ts';

/** A repeatable source of chance: whole numbers below its argument. */
export type Dice = (sides: number) => number;

/** The same numbers for the same seed (mulberry32). */
export function dice(seed: number): Dice {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

export const pick = <T>(roll: Dice, items: readonly T[]): T => items[roll(items.length)]!;

type Mutation = (tx: Tx, roll: Dice) => Tx;

const data = (length: number): Uint8Array => new Uint8Array(length).fill(0x61);
const key = (fill: number): Uint8Array => concat(Uint8Array.of(2), new Uint8Array(32).fill(fill));

const SCRIPTS = [
  P2A_SCRIPT,
  new Uint8Array(0),
  script(OP.ONE),
  script(OP.RETURN),
  ...[1, 75, 80, 81, 120].map((length) => script(OP.RETURN, push(data(length)))),
  script(OP.RETURN, OP.CHECKSIG),
  script(push(key(1)), OP.CHECKSIG),
  script(push(concat(Uint8Array.of(4), data(64))), OP.CHECKSIG),
  script(OP.ONE, push(key(1)), push(key(2)), OP.ONE + 1, OP.CHECKMULTISIG),
  script(OP.ONE, push(key(1)), push(key(2)), push(key(3)), push(key(4)), OP.ONE + 3, OP.CHECKMULTISIG),
  script(OP.HASH160, push(data(20)), OP.EQUAL),
  script(OP.FALSE, push(data(20))),
  script(OP.FALSE, push(data(32))),
  script(OP.FALSE, push(data(16))),
  script(OP.ONE, push(data(20))),
  script(OP.ONE + 1, push(data(32))),
  script(OP.SIXTEEN, push(data(2))),
];

const VALUES = [0n, 1n, 239n, 240n, 293n, 294n, 329n, 330n, 545n, 546n, -1n, MAX_MONEY, MAX_MONEY + 1n, COIN];
const SEQUENCES = [0, 1, 2, 3, 10, 0x400000, 0x400001, 0x400002, 0x80000000, 0xfffffffd, 0xfffffffe, 0xffffffff];

const withInputAt = (tx: Tx, roll: Dice, change: (input: TxIn) => Partial<TxIn>): Tx => {
  const at = roll(tx.inputs.length);
  return { ...tx, inputs: tx.inputs.map((input, i) => (i === at ? { ...input, ...change(input) } : input)) };
};

export function flipped(bytes: Uint8Array, roll: Dice): Uint8Array {
  if (bytes.length === 0) return bytes;
  const copy = Uint8Array.from(bytes);
  copy[roll(copy.length)]! ^= 1 << roll(8);
  return copy;
}

const withOutputAt = (tx: Tx, roll: Dice, change: Partial<Tx['outputs'][number]>): Tx => {
  const at = roll(Math.max(1, tx.outputs.length));
  return { ...tx, outputs: tx.outputs.map((output, i) => (i === at ? { ...output, ...change } : output)) };
};

/** What a signature covers; sign again afterwards to see the other rules at work. */
export const BODY_MUTATIONS: Readonly<Record<string, Mutation>> = {
  version: (tx, roll) => ({ ...tx, version: pick(roll, [-1, 0, 1, 2, 3, 4]) }),
  locktime: (tx, roll) => ({
    ...tx,
    locktime: pick(roll, [0, 1, 100, 115, 200, 499_999_999, 500_000_000, 1_750_000_000]),
  }),
  sequence: (tx, roll) => withInputAt(tx, roll, () => ({ sequence: pick(roll, SEQUENCES) })),
  value: (tx, roll) => withOutputAt(tx, roll, { value: pick(roll, VALUES) }),
  script: (tx, roll) => withOutputAt(tx, roll, { script: pick(roll, SCRIPTS) }),
  noOutputs: (tx) => ({ ...tx, outputs: [] }),
  moreOutputs: (tx, roll) => ({
    ...tx,
    outputs: [...tx.outputs, { value: pick(roll, VALUES), script: pick(roll, SCRIPTS) }],
  }),
  manyOutputs: (tx) => ({ ...tx, outputs: Array.from({ length: 3_500 }, () => tx.outputs[0]!) }),
  unknownInput: (tx, roll) =>
    withInputAt(tx, roll, ({ prevout }) => ({ prevout: { ...prevout, txid: 'ab'.repeat(32) as Txid } })),
  wrongOutput: (tx, roll) => withInputAt(tx, roll, ({ prevout }) => ({ prevout: { ...prevout, vout: 77 } })),
  nullInput: (tx, roll) =>
    withInputAt(tx, roll, () => ({ prevout: { txid: '00'.repeat(32) as Txid, vout: 0xffffffff } })),
};

/** What no signature covers. */
export const UNLOCK_MUTATIONS: Readonly<Record<string, Mutation>> = {
  twinInput: (tx) => ({ ...tx, inputs: [...tx.inputs, tx.inputs[0]!] }),
  flipWitness: (tx, roll) =>
    withInputAt(tx, roll, ({ witness }) => ({ witness: witness.map((item) => flipped(item, roll)) })),
  flipOneItem: (tx, roll) =>
    withInputAt(tx, roll, ({ witness }) => {
      const at = roll(Math.max(1, witness.length));
      return { witness: witness.map((item, i) => (i === at ? flipped(item, roll) : item)) };
    }),
  flipScriptSig: (tx, roll) => withInputAt(tx, roll, ({ scriptSig }) => ({ scriptSig: flipped(scriptSig, roll) })),
  noWitness: (tx, roll) => withInputAt(tx, roll, () => ({ witness: [] })),
  firstItemGone: (tx, roll) => withInputAt(tx, roll, ({ witness }) => ({ witness: witness.slice(1) })),
  itemBefore: (tx, roll) => withInputAt(tx, roll, ({ witness }) => ({ witness: [data(roll(100)), ...witness] })),
  itemAfter: (tx, roll) => withInputAt(tx, roll, ({ witness }) => ({ witness: [...witness, data(roll(3))] })),
  annex: (tx, roll) => withInputAt(tx, roll, ({ witness }) => ({ witness: [...witness, Uint8Array.of(0x50, 1)] })),
  sighashByte: (tx, roll) =>
    withInputAt(tx, roll, ({ witness }) => ({
      witness: witness.map((item, i) =>
        i === 0 ? concat(item, Uint8Array.of(pick(roll, [0, 1, 2, 3, 0x81, 0x84]))) : item,
      ),
    })),
  longScriptSig: (tx, roll) =>
    withInputAt(tx, roll, ({ scriptSig }) => ({ scriptSig: concat(push(data(pick(roll, [1, 1_700]))), scriptSig) })),
  opInScriptSig: (tx, roll) =>
    withInputAt(tx, roll, ({ scriptSig }) => ({
      scriptSig: concat(Uint8Array.of(pick(roll, [OP.NOP, OP.ONE])), scriptSig),
    })),
  swappedInputs: (tx) => ({ ...tx, inputs: [...tx.inputs].reverse() }),
};
