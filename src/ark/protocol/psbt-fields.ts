/** What Ark's transactions carry in unknown PSBT input fields: key type 222, then the field's name in ASCII. */
import { type Bytes, concat, equal, utf8 } from '../../base/bytes.ts';
import { type PsbtInput, type PsbtPair, parseWitness, serializeWitness } from '../../bitcoin/psbt.ts';
import { blob, DecodeError, Reader } from '../../bitcoin/reader.ts';
import { parseScriptNumber, scriptNumber } from '../../bitcoin/script.ts';
import { LEAF_VERSION } from '../../bitcoin/taproot.ts';
import { fromSequence, type RelativeTimelock, toSequence } from '../../bitcoin/timelock.ts';

const KEY_TYPE = 222;

type FieldName = 'taptree' | 'expiry' | 'cosigner' | 'condition';

const keyOf = (name: FieldName, index: Bytes = new Uint8Array(0)): Bytes =>
  concat(Uint8Array.of(KEY_TYPE), utf8(name), index);

const fieldOf = (input: PsbtInput, name: FieldName): Bytes | undefined => {
  const key = keyOf(name);
  return input.rest.find((pair) => equal(pair.key, key))?.value;
};

/** The same input with these pairs, each in place of one with the same key. */
export const withPairs = (input: PsbtInput, ...pairs: readonly PsbtPair[]): PsbtInput => ({
  ...input,
  rest: [...input.rest.filter((old) => !pairs.some((pair) => equal(pair.key, old.key))), ...pairs],
});

/** BIP371's flat tree: depth, leaf version, script. Clients write depth 1 everywhere; only the order counts. */
export const encodeTapTree = (scripts: readonly Bytes[]): Bytes =>
  concat(...scripts.flatMap((script) => [Uint8Array.of(1, LEAF_VERSION), blob(script)]));

/** The leaves' scripts in order. Throws {@link DecodeError}. */
export function parseTapTree(value: Bytes): readonly Bytes[] {
  const reader = new Reader(value);
  const scripts: Bytes[] = [];
  while (reader.left > 0) {
    reader.u8();
    if (reader.u8() !== LEAF_VERSION) throw new DecodeError('a tap tree leaf is not version 0xc0');
    scripts.push(reader.blob());
  }
  if (scripts.length === 0) throw new DecodeError('a tap tree needs a leaf');
  return scripts;
}

export const tapTreePair = (scripts: readonly Bytes[]): PsbtPair => ({
  key: keyOf('taptree'),
  value: encodeTapTree(scripts),
});

/** Scripts of the tree that the input reveals, if it does. Throws {@link DecodeError}. */
export function tapTreeOf(input: PsbtInput): readonly Bytes[] | undefined {
  const value = fieldOf(input, 'taptree');
  return value && parseTapTree(value);
}

/** When the batch may be swept: a BIP68 sequence as a minimal script number. */
export const expiryPair = (timelock: RelativeTimelock): PsbtPair => ({
  key: keyOf('expiry'),
  value: scriptNumber(BigInt(toSequence(timelock))),
});

/** Throws {@link DecodeError}. */
export function expiryOf(input: PsbtInput): RelativeTimelock | undefined {
  const value = fieldOf(input, 'expiry');
  if (!value) return undefined;
  const sequence = value.length <= 5 ? Number(parseScriptNumber(value)) : -1;
  const timelock = sequence > 0 && sequence <= 0xffffffff ? fromSequence(sequence) : undefined;
  if (!timelock) throw new DecodeError('not a batch expiry');
  return timelock;
}

/** Compressed keys of a tree node's cosigners, one pair each, numbered with four bytes big endian. */
export const cosignerPairs = (keys: readonly Bytes[]): readonly PsbtPair[] =>
  keys.map((value, index) => {
    const number = new Uint8Array(4);
    new DataView(number.buffer).setUint32(0, index);
    return { key: keyOf('cosigner', number), value };
  });

/** The cosigners' compressed keys by their number, which some write with one byte and some with four. */
export function cosignersOf(input: PsbtInput): readonly Bytes[] {
  const prefix = keyOf('cosigner');
  const numbered = input.rest
    .filter(({ key }) => key.length > prefix.length && equal(key.subarray(0, prefix.length), prefix))
    .map(({ key, value }) => {
      let index = 0;
      for (const byte of key.subarray(prefix.length)) index = index * 256 + byte;
      return { index, value };
    });
  return numbered.sort((a, b) => a.index - b.index).map(({ value }) => value);
}

/** What a leaf's condition takes from the witness, for instance a preimage. */
export const conditionPair = (items: readonly Bytes[]): PsbtPair => ({
  key: keyOf('condition'),
  value: serializeWitness(items),
});

export const withoutCondition = (input: PsbtInput): PsbtInput => ({
  ...input,
  rest: input.rest.filter(({ key }) => !equal(key, keyOf('condition'))),
});

/** Throws {@link DecodeError}. */
export function conditionOf(input: PsbtInput): readonly Bytes[] | undefined {
  const value = fieldOf(input, 'condition');
  return value && parseWitness(value);
}
