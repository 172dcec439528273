/** Random transactions and PSBTs, valid in form and nothing else. */
import fc from 'fast-check';
import { type Bytes, compare, type Txid, toHex } from '../../src/base/bytes.ts';
import type { Psbt, PsbtInput, PsbtPair } from '../../src/bitcoin/psbt.ts';
import type { Tx, TxIn, TxOut } from '../../src/bitcoin/tx.ts';
import { noble } from '../../src/crypto/noble.ts';

export const bytes = (maxLength: number): fc.Arbitrary<Bytes> => fc.uint8Array({ maxLength });
export const bytesOf = (length: number): fc.Arbitrary<Bytes> => fc.uint8Array({ minLength: length, maxLength: length });
const u32 = fc.integer({ min: 0, max: 0xffffffff });

export const txid: fc.Arbitrary<Txid> = bytesOf(32).map((hash) => toHex(hash) as Txid);

/** Objects like any others. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;

/** Any amount that eight bytes hold: consensus must be able to parse what it refuses. */
export const txOut: fc.Arbitrary<TxOut> = record({
  value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  script: bytes(40),
});

const txInWith = (scriptSig: fc.Arbitrary<Bytes>, witness: fc.Arbitrary<Bytes[]>): fc.Arbitrary<TxIn> =>
  record({ prevout: record({ txid, vout: u32 }), scriptSig, sequence: u32, witness });

const txWith = (input: fc.Arbitrary<TxIn>, output: fc.Arbitrary<TxOut>): fc.Arbitrary<Tx> =>
  record({
    version: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    inputs: fc.array(input, { minLength: 1, maxLength: 4 }),
    outputs: fc.array(output, { minLength: 1, maxLength: 4 }),
    locktime: u32,
  });

export const tx: fc.Arbitrary<Tx> = txWith(txInWith(bytes(40), fc.array(bytes(20), { maxLength: 3 })), txOut);

/** A transaction as a PSBT holds it; its amounts are ones that exist. */
export const unsignedTx: fc.Arbitrary<Tx> = txWith(
  txInWith(fc.constant(new Uint8Array(0)), fc.constant([])),
  record({ value: fc.bigInt({ min: 0n, max: 21n * 10n ** 14n }), script: bytes(40) }),
);

/** One pair for each key, in the order of keys, as they are written. */
const ordered = <T>(items: readonly T[], keyOf: (item: T) => Bytes): T[] =>
  [...new Map(items.map((item) => [toHex(keyOf(item)), item])).values()].sort((a, b) => compare(keyOf(a), keyOf(b)));

const join = (...parts: Bytes[]): Bytes => Uint8Array.from(parts.flatMap((part) => [...part]));

/** Pairs whose type byte is `type`. */
const pairs = (type: number): fc.Arbitrary<PsbtPair[]> =>
  fc
    .array(record({ key: bytes(6).map((data) => Uint8Array.of(type, ...data)), value: bytes(20) }), { maxLength: 3 })
    .map((list) => ordered(list, ({ key }) => key));

const KEYS = Array.from({ length: 8 }, (_, i) => noble.publicKey(new Uint8Array(32).fill(i + 1)).slice(1));
/** Other parsers insist on points. */
export const xonly: fc.Arbitrary<Bytes> = fc.constantFrom(...KEYS);

/** A leaf's control block of zero to three branches, of the given leaf version. */
const leafScript = fc
  .tuple(xonly, fc.array(bytesOf(32), { maxLength: 3 }), bytes(30), fc.constantFrom(0xc0, 0xc2, 0xfa), fc.nat(1))
  .map(([internal, path, script, version, parity]) => ({
    controlBlock: join(Uint8Array.of(version | parity), internal, ...path),
    script,
    version,
  }));

const tapScriptSig = record({
  publicKey: xonly,
  leafHash: bytesOf(32),
  signature: fc.oneof(bytesOf(64), bytesOf(65)),
});

/** Input types that stand for nothing (yet): everything else has a form that other parsers insist on. */
const UNKNOWN_TYPE = 0xde;

export const psbtInput: fc.Arbitrary<PsbtInput> = fc
  .record(
    {
      witnessUtxo: record({ value: fc.bigInt({ min: 0n, max: 21n * 10n ** 14n }), script: bytes(40) }),
      sighashType: fc.constantFrom(0, 1, 2, 3, 0x81, 0x82, 0x83),
      finalWitness: fc.array(bytes(20), { minLength: 1, maxLength: 3 }),
      tapKeySig: fc.oneof(bytesOf(64), bytesOf(65)),
      tapInternalKey: xonly,
      tapMerkleRoot: bytesOf(32),
      tapScriptSigs: fc
        .array(tapScriptSig, { maxLength: 3 })
        .map((sigs) => ordered(sigs, (sig) => join(sig.publicKey, sig.leafHash))),
      tapLeafScripts: fc
        .array(leafScript, { maxLength: 3 })
        .map((leaves) => ordered(leaves, (leaf) => leaf.controlBlock)),
      rest: pairs(UNKNOWN_TYPE),
    },
    { requiredKeys: ['tapScriptSigs', 'tapLeafScripts', 'rest'], noNullPrototype: true },
  )
  .map((input) => input as PsbtInput);

export const psbt: fc.Arbitrary<Psbt> = unsignedTx.chain((unsigned) =>
  record({
    tx: fc.constant(unsigned),
    inputs: fc.tuple(...unsigned.inputs.map(() => psbtInput)) as fc.Arbitrary<readonly PsbtInput[]>,
    outputs: fc.tuple(...unsigned.outputs.map(() => pairs(UNKNOWN_TYPE))) as fc.Arbitrary<readonly PsbtPair[][]>,
    globals: pairs(UNKNOWN_TYPE),
  }),
);

/** Bytes with one of them changed, some taken away, or some put in: what fuzzers find their bugs with. */
export const mangled = (original: fc.Arbitrary<Bytes>): fc.Arbitrary<Bytes> =>
  fc.tuple(original, fc.nat(), fc.constantFrom('flip', 'cut', 'insert'), bytes(9)).map(([sound, where, how, extra]) => {
    const at = where % (sound.length + 1);
    if (how === 'cut') return sound.slice(0, at);
    if (how === 'insert') return join(sound.slice(0, at), extra, sound.slice(at));
    return sound.map((byte, i) => (i === at ? byte ^ (1 << (where % 8)) : byte));
  });
