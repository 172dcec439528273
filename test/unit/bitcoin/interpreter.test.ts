import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import fc from 'fast-check';
import { type Bytes, concat, fromHex, type Txid } from '../../../src/base/bytes.ts';
import { legacySighash } from '../../../src/bitcoin/interpreter/legacy-sighash.ts';
import { segwitSighash } from '../../../src/bitcoin/interpreter/segwit-sighash.ts';
import {
  CONSENSUS_FLAGS,
  parseScriptFlags,
  SCRIPT_FLAGS,
  type ScriptError,
  type ScriptFlags,
  STANDARD_FLAGS,
  scriptFlags,
  verifyInput,
  verifyTx,
  withFlags,
  withoutFlags,
} from '../../../src/bitcoin/interpreter/verify.ts';
import { OP, P2A_SCRIPT, p2tr, push, pushNumber, script } from '../../../src/bitcoin/script.ts';
import { SIGHASH, taprootSighash } from '../../../src/bitcoin/sighash.ts';
import { controlBlock, leafHash, NUMS_KEY, outputKey } from '../../../src/bitcoin/taproot.ts';
import { templateHash } from '../../../src/bitcoin/template-hash.ts';
import { type Tx, type TxOut, txIn } from '../../../src/bitcoin/tx.ts';
import { hash160, sha256 } from '../../../src/crypto/hash.ts';
import { noble } from '../../../src/crypto/noble.ts';
import { loadSecp } from '../../../src/runtime/secp-wasm.ts';

const secp = await loadSecp();
const NO_BYTES = new Uint8Array(0);
const AUX = new Uint8Array(32);
const SECRET = sha256(Uint8Array.of(1));
const KEY = secp.publicKey(SECRET);
const XONLY = KEY.slice(1);

const ZERO = scriptFlags();
const SOME_TXID = 'ab'.repeat(32) as Txid;

const outputs = (...scripts: readonly Bytes[]): TxOut[] => scripts.map((code) => ({ value: 1000n, script: code }));
const spending = (count: number, fields: Partial<Tx> = {}): Tx => ({
  version: 2,
  inputs: Array.from({ length: count }, (_, vout) => txIn({ txid: SOME_TXID, vout }, 0)),
  outputs: outputs(P2A_SCRIPT),
  locktime: 0,
  ...fields,
});
const unlock = (tx: Tx, index: number, scriptSig: Bytes, witness: readonly Bytes[] = []): Tx => ({
  ...tx,
  inputs: tx.inputs.map((input, i) => (i === index ? { ...input, scriptSig, witness } : input)),
});

/** Spends a bare `output` with `scriptSig`. */
const bare = (output: Bytes, scriptSig: Bytes, flags: ScriptFlags = CONSENSUS_FLAGS): ScriptError | undefined =>
  verifyInput(secp, unlock(spending(1), 0, scriptSig), 0, outputs(output), flags);

interface TapscriptOptions {
  readonly flags?: ScriptFlags;
  readonly annex?: Bytes;
  readonly tx?: Tx;
  /** Makes the stack elements, given the message to sign. */
  readonly elements?: (message: Bytes) => readonly Bytes[];
}

/** Spends the only leaf of a tree, `code`. */
function tapscript(code: Bytes, options: TapscriptOptions = {}): ScriptError | undefined {
  const { flags = CONSENSUS_FLAGS, annex, tx = spending(1), elements = () => [] } = options;
  const { xonly, parity } = outputKey(secp, NUMS_KEY, leafHash(code));
  const prevouts = outputs(p2tr(xonly));
  const message = taprootSighash(tx, 0, prevouts, { leafHash: leafHash(code), ...(annex ? { annex } : {}) })!;
  const witness = [...elements(message), code, controlBlock(NUMS_KEY, parity, []), ...(annex ? [annex] : [])];
  return verifyInput(secp, unlock(tx, 0, NO_BYTES, witness), 0, prevouts, flags);
}

const times = (count: number, ...parts: readonly (number | Bytes)[]): Bytes =>
  script(...Array.from({ length: count }, () => script(...parts)));
const sign = (message: Bytes): Bytes => secp.schnorrSign(message, SECRET, AUX);

suite('verifyTx', () => {
  test('names the first input that may not be spent', () => {
    const prevouts = outputs(script(OP.ONE), script(OP.FALSE), script(OP.RETURN));
    assert.deepEqual(verifyTx(secp, spending(3), prevouts, ZERO), { index: 1, error: 'EVAL_FALSE' });
    assert.equal(verifyTx(secp, spending(1), prevouts.slice(0, 1), ZERO), undefined);
  });

  test('is no judge of what it is not shown', () => {
    assert.throws(() => verifyInput(secp, spending(2), 0, outputs(script(OP.ONE)), ZERO));
    assert.throws(() => verifyInput(secp, spending(1), 1, outputs(script(OP.ONE)), ZERO));
  });

  test('costs no more for each of many inputs than for one', () => {
    const tx = spending(800);
    const prevouts = outputs(...tx.inputs.map(() => p2tr(XONLY)));
    const signed = {
      ...tx,
      inputs: tx.inputs.map((input, i) => ({ ...input, witness: [sign(taprootSighash(tx, i, prevouts)!)] })),
    };
    assert.equal(verifyTx(secp, signed, prevouts, STANDARD_FLAGS), undefined);
    const changed = { ...signed, outputs: outputs(P2A_SCRIPT, P2A_SCRIPT) };
    assert.deepEqual(verifyTx(secp, changed, prevouts, STANDARD_FLAGS), { index: 0, error: 'SCHNORR_SIG' });
  });

  test('comes to the same judgement with either backend', () => {
    const prevouts = outputs(p2tr(XONLY));
    const tx = spending(1);
    const good = sign(taprootSighash(tx, 0, prevouts)!);
    const bad = good.map((byte, i) => (i === 40 ? byte ^ 1 : byte));
    for (const signature of [
      good,
      bad,
      good.slice(1),
      concat(good, Uint8Array.of(0)),
      concat(good, Uint8Array.of(4)),
    ]) {
      const signed = unlock(tx, 0, NO_BYTES, [signature]);
      const [fast, reference] = [secp, noble].map((each) => verifyInput(each, signed, 0, prevouts, CONSENSUS_FLAGS));
      assert.equal(fast, reference);
      assert.equal(fast === undefined, signature === good);
    }
  });
});

suite('scripts at random', () => {
  /** Mostly opcodes, some pushes, and bytes that are neither. */
  const code = fc
    .array(
      fc.oneof(
        { weight: 6, arbitrary: fc.integer({ min: 0x4f, max: 0xba }).map((op) => Uint8Array.of(op)) },
        { weight: 3, arbitrary: fc.uint8Array({ maxLength: 6 }).map(push) },
        { weight: 3, arbitrary: fc.integer({ min: -2, max: 20 }).map((value) => pushNumber(BigInt(value))) },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 3 }) },
      ),
      { maxLength: 25 },
    )
    .map((parts) => script(...parts));
  const flags = fc.integer({ min: 0, max: 2 ** SCRIPT_FLAGS.length - 1 }).map((bits) => bits as ScriptFlags);

  test('end with a judgement, wherever they stand and whatever the rules', () => {
    fc.assert(
      fc.property(code, code, flags, (output, input, rules) => {
        const judgements = [
          bare(output, input, rules),
          tapscript(output, { flags: withFlags(rules, 'P2SH', 'WITNESS', 'TAPROOT'), elements: () => [input, input] }),
          verifyInput(
            secp,
            unlock(spending(1), 0, NO_BYTES, [input, input, output]),
            0,
            outputs(script(OP.FALSE, push(sha256(output)))),
            withFlags(rules, 'P2SH', 'WITNESS'),
          ),
        ];
        for (const judgement of judgements) assert.match(judgement ?? 'OK', /^[A-Z0-9_]+$/);
      }),
      { numRuns: 1500 },
    );
  });
});

suite('flags', () => {
  test('are read by their names in Bitcoin Core', () => {
    assert.equal(parseScriptFlags('NONE'), ZERO);
    assert.equal(parseScriptFlags(''), ZERO);
    assert.equal(parseScriptFlags('P2SH,WITNESS'), scriptFlags('P2SH', 'WITNESS'));
    assert.throws(() => parseScriptFlags('P2SH,toString'), TypeError);
  });

  test('what is standard is more than consensus, and BIP119 is in neither', () => {
    assert.equal(STANDARD_FLAGS | CONSENSUS_FLAGS, STANDARD_FLAGS);
    assert.equal(withoutFlags(STANDARD_FLAGS, 'CHECKTEMPLATEVERIFY'), STANDARD_FLAGS);
    assert.notEqual(withFlags(STANDARD_FLAGS, 'CHECKTEMPLATEVERIFY'), STANDARD_FLAGS);
  });
});

suite('ECDSA as consensus takes it', () => {
  const sha = (type: number, code: Bytes): Bytes => legacySighash(spending(1), 0, code, type);
  const der = (compact: Bytes): Bytes => secp256k1.Signature.fromBytes(compact).toBytes('der');
  const code = (key: Bytes): Bytes => script(push(key), OP.CHECKSIG);
  const signatureFor = (key: Bytes): Bytes =>
    concat(der(secp.ecdsaSign(sha(SIGHASH.ALL, code(key)), SECRET)), Uint8Array.of(SIGHASH.ALL));
  const uncompressed = secp256k1.getPublicKey(SECRET, false);
  const prefixed = (prefix: number): Bytes => Uint8Array.of(prefix, ...uncompressed.subarray(1));
  const parity = uncompressed[64]! & 1;

  test('keys may be compressed, uncompressed or hybrid, and must lie on the curve', () => {
    const spend = (key: Bytes): ScriptError | undefined => bare(code(key), push(signatureFor(key)), ZERO);
    assert.equal(spend(KEY), undefined);
    assert.equal(spend(uncompressed), undefined);
    assert.equal(spend(prefixed(6 + parity)), undefined);
    assert.equal(spend(prefixed(7 - parity)), 'EVAL_FALSE');
    assert.equal(spend(prefixed(5)), 'EVAL_FALSE');
    assert.equal(spend(uncompressed.map((byte, i) => (i === 63 ? byte ^ 1 : byte))), 'EVAL_FALSE');
    assert.equal(spend(uncompressed.slice(0, 64)), 'EVAL_FALSE');
    assert.equal(spend(NO_BYTES), 'EVAL_FALSE');
  });

  test('a hybrid key is not strictly encoded', () => {
    const key = prefixed(6 + parity);
    assert.equal(bare(code(key), push(signatureFor(key)), scriptFlags('STRICTENC')), 'PUBKEYTYPE');
  });

  test('before BIP66 whatever OpenSSL could read was a signature', () => {
    const strict = signatureFor(KEY);
    const [, , , rLength] = strict as unknown as number[];
    const r = strict.subarray(4, 4 + rLength!);
    const s = strict.subarray(6 + rLength!, -1);
    const loose: Readonly<Record<string, Bytes>> = {
      padded: Uint8Array.of(0x30, 0, 2, r.length + 2, 0, 0, ...r, 2, s.length, ...s, 1),
      'long lengths': Uint8Array.of(0x30, 0x82, 0, 0, 2, 0x81, r.length, ...r, 2, 0x84, 0, 0, 0, s.length, ...s, 1),
      'with a tail': Uint8Array.of(0x30, 0xff & strict[1]!, ...strict.subarray(2, -1), 9, 9, 9, 1),
    };
    for (const [how, signature] of Object.entries(loose)) {
      assert.equal(bare(code(KEY), push(signature), ZERO), undefined, how);
      assert.equal(bare(code(KEY), push(signature), scriptFlags('DERSIG')), 'SIG_DER', how);
    }
    const unreadable = [
      '30',
      '3001',
      '300102',
      '30820102',
      '3000028000',
      '300002850000000001',
      '3000020201',
      '310602010102010101',
    ];
    for (const hex of unreadable)
      assert.equal(bare(code(KEY), push(concat(fromHex(hex), Uint8Array.of(1))), ZERO), 'EVAL_FALSE');
    const tooLarge = Uint8Array.of(0x30, 0, 2, 33, ...new Uint8Array(33).fill(0x7f), 2, s.length, ...s, 1);
    assert.equal(bare(code(KEY), push(tooLarge), ZERO), 'EVAL_FALSE');
  });
});

suite('segwit version 0', () => {
  test('signatures commit to the amount', () => {
    const prevouts = outputs(script(OP.FALSE, push(hash160(KEY))));
    const tx = spending(1);
    const keyCode = script(OP.DUP, OP.HASH160, push(hash160(KEY)), OP.EQUALVERIFY, OP.CHECKSIG);
    const compact = secp.ecdsaSign(segwitSighash(tx, 0, keyCode, 1000n, SIGHASH.ALL), SECRET);
    const signature = concat(secp256k1.Signature.fromBytes(compact).toBytes('der'), Uint8Array.of(SIGHASH.ALL));
    const signed = unlock(tx, 0, NO_BYTES, [signature, KEY]);
    assert.equal(verifyInput(secp, signed, 0, prevouts, STANDARD_FLAGS), undefined);
    const dearer = prevouts.map((output) => ({ ...output, value: 1001n }));
    assert.equal(verifyInput(secp, signed, 0, dearer, STANDARD_FLAGS), 'SIG_NULLFAIL');
    assert.equal(verifyInput(secp, signed, 0, dearer, CONSENSUS_FLAGS), 'EVAL_FALSE');
  });
});

suite('anchors', () => {
  test('BIP433: anybody spends a P2A output, and with no witness', () => {
    assert.equal(bare(P2A_SCRIPT, NO_BYTES, STANDARD_FLAGS), undefined);
    assert.equal(bare(P2A_SCRIPT, script(OP.ONE), STANDARD_FLAGS), 'WITNESS_MALLEATED');
    const unknown = fromHex('51024e74');
    assert.equal(bare(unknown, NO_BYTES, STANDARD_FLAGS), 'DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM');
    assert.equal(bare(unknown, NO_BYTES), undefined);
  });
});

suite('tapscript', () => {
  const checkSig = script(push(XONLY), OP.CHECKSIG);

  test('an annex is signed with all the rest', () => {
    const annex = concat(Uint8Array.of(0x50), new Uint8Array(100_000));
    assert.equal(tapscript(checkSig, { annex, elements: (message) => [sign(message)] }), undefined);
    let foreign: Bytes = NO_BYTES;
    const remember = (message: Bytes): readonly Bytes[] => [(foreign = sign(message))];
    assert.equal(tapscript(checkSig, { annex: concat(annex, Uint8Array.of(1)), elements: remember }), undefined);
    assert.equal(tapscript(checkSig, { annex, elements: () => [foreign] }), 'SCHNORR_SIG');
  });

  test('every signature takes 50 off a budget of 50 and the size of the witness', () => {
    const many = (count: number): Bytes => script(times(count, OP['2DUP'], OP.CHECKSIGVERIFY), OP['2DROP'], OP.ONE);
    // A witness of one signature, one key, this script and its control block.
    const budget = (count: number): number => 1 + (1 + 64) + (1 + 32) + (1 + many(count).length) + (1 + 33) + 50;
    const run = (count: number) => tapscript(many(count), { elements: (message) => [sign(message), XONLY] });
    const most = [...Array(40).keys()].findLast((count) => 50 * count <= budget(count))!;
    assert.equal(run(most), undefined);
    assert.equal(run(most + 1), 'TAPSCRIPT_VALIDATION_WEIGHT');
  });

  test('CHECKSIGADD counts those who signed', () => {
    const second = sha256(Uint8Array.of(2));
    const secondKey = secp.publicKey(second).slice(1);
    const oneOfTwo = script(push(XONLY), OP.CHECKSIG, push(secondKey), OP.CHECKSIGADD, OP.ONE, OP.NUMEQUAL);
    const run = (first: boolean, other: boolean): ScriptError | undefined =>
      tapscript(oneOfTwo, {
        elements: (message) => [
          other ? secp.schnorrSign(message, second, AUX) : NO_BYTES,
          first ? sign(message) : NO_BYTES,
        ],
      });
    assert.equal(run(true, false), undefined);
    assert.equal(run(false, true), undefined);
    assert.equal(run(true, true), 'EVAL_FALSE');
    assert.equal(run(false, false), 'EVAL_FALSE');
    assert.equal(bare(script(OP.FALSE, OP.FALSE, OP.FALSE, OP.CHECKSIGADD), NO_BYTES), 'BAD_OPCODE');
  });

  test('may be long and deep, which takes no longer than its length', () => {
    const long = script(times(60_000, OP.ONE, OP.IF), times(60_000, OP.ENDIF), OP.ONE);
    const started = performance.now();
    assert.equal(tapscript(long), undefined);
    assert.ok(performance.now() - started < 5_000);
    assert.equal(
      tapscript(script(times(60_000, OP.FALSE, OP.IF), times(59_999, OP.ENDIF), OP.ONE)),
      'UNBALANCED_CONDITIONAL',
    );
    assert.equal(tapscript(times(1001, OP.ONE)), 'STACK_SIZE');
  });

  test('one OP_SUCCESS makes everything after it irrelevant', () => {
    const code = script(OP.RETURN, OP.CAT, OP.PUSHDATA4);
    assert.equal(tapscript(code), undefined);
    assert.equal(tapscript(code, { flags: STANDARD_FLAGS }), 'DISCOURAGE_OP_SUCCESS');
    assert.equal(tapscript(script(OP.PUSHDATA4, OP.CAT)), 'BAD_OPCODE');
  });
});

suite('timelocks', () => {
  const waits = (lock: bigint, op: number): Bytes => script(pushNumber(lock), op, OP.DROP, OP.ONE);
  const spend = (code: Bytes, sequence: number, locktime: number, version = 2): ScriptError | undefined => {
    const tx = spending(1, { locktime, version, inputs: [txIn({ txid: SOME_TXID, vout: 0 }, sequence)] });
    return verifyInput(secp, tx, 0, outputs(code), CONSENSUS_FLAGS);
  };
  const unmet: ScriptError = 'UNSATISFIED_LOCKTIME';

  test('BIP65 compares heights with heights and times with times', () => {
    const height = waits(100n, OP.CHECKLOCKTIMEVERIFY);
    const time = waits(1_700_000_000n, OP.CHECKLOCKTIMEVERIFY);
    assert.equal(spend(height, 0, 100), undefined);
    assert.equal(spend(height, 0, 99), unmet);
    assert.equal(spend(height, 0, 1_700_000_000), unmet);
    assert.equal(spend(height, 0xffffffff, 100), unmet);
    assert.equal(spend(time, 0, 1_700_000_000), undefined);
    assert.equal(spend(time, 0, 1_699_999_999), unmet);
    assert.equal(spend(waits(-1n, OP.CHECKLOCKTIMEVERIFY), 0, 100), 'NEGATIVE_LOCKTIME');
  });

  test('BIP112 compares blocks with blocks and seconds with seconds', () => {
    const blocks = waits(144n, OP.CHECKSEQUENCEVERIFY);
    const seconds = waits(0x400000n + 10n, OP.CHECKSEQUENCEVERIFY);
    assert.equal(spend(blocks, 144, 0), undefined);
    assert.equal(spend(blocks, 143, 0), unmet);
    assert.equal(spend(blocks, 0x400000 + 144, 0), unmet);
    assert.equal(spend(blocks, 0x80000000 + 144, 0), unmet);
    assert.equal(spend(blocks, 144, 0, 1), unmet);
    assert.equal(spend(blocks, 144, 0, -1), undefined);
    assert.equal(spend(seconds, 0x400000 + 10, 0), undefined);
    assert.equal(spend(seconds, 0x400000 + 9, 0), unmet);
    assert.equal(spend(waits(0x80000000n, OP.CHECKSEQUENCEVERIFY), 0xffffffff, 0, 1), undefined);
  });
});

suite('BIP119', () => {
  const flags = withFlags(STANDARD_FLAGS, 'CHECKTEMPLATEVERIFY');
  const tx = spending(1, { version: 3, outputs: outputs(p2tr(XONLY), P2A_SCRIPT) });
  const locked = (hash: Bytes): Bytes => script(push(hash), OP.CHECKTEMPLATEVERIFY);

  test('an output that commits to its spending is spent by nothing else', () => {
    const code = locked(templateHash(tx, 0));
    assert.equal(tapscript(code, { flags, tx }), undefined);
    const others: readonly Partial<Tx>[] = [
      { version: 2 },
      { locktime: 1 },
      { inputs: tx.inputs.map((input) => ({ ...input, sequence: 1 })) },
      { outputs: tx.outputs.slice(1) },
      { outputs: tx.outputs.map((output) => ({ ...output, value: 999n })) },
    ];
    for (const other of others) {
      assert.equal(tapscript(code, { flags, tx: { ...tx, ...other } }), 'TEMPLATE_MISMATCH');
    }
  });

  test('commits to the place of the input and to the scriptSigs, if there are any', () => {
    const two = spending(2);
    assert.notDeepEqual(templateHash(two, 0), templateHash(two, 1));
    assert.notDeepEqual(templateHash(two, 0), templateHash(unlock(two, 1, script(OP.ONE)), 0));
    assert.deepEqual(templateHash(two, 0), templateHash(unlock(two, 1, NO_BYTES, [script(OP.ONE)]), 0));
  });

  test('is a NOP where it is not in force, and for lengths that are not its own', () => {
    const wrong = locked(new Uint8Array(32));
    const short = locked(Uint8Array.of(1, 1));
    assert.equal(tapscript(wrong, { tx, flags: CONSENSUS_FLAGS }), 'EVAL_FALSE');
    assert.equal(tapscript(script(wrong, OP.DROP, OP.ONE), { tx, flags: CONSENSUS_FLAGS }), undefined);
    assert.equal(tapscript(wrong, { tx, flags: STANDARD_FLAGS }), 'DISCOURAGE_UPGRADABLE_NOPS');
    assert.equal(tapscript(short, { tx, flags }), 'DISCOURAGE_UPGRADABLE_NOPS');
    assert.equal(tapscript(short, { tx, flags: withFlags(CONSENSUS_FLAGS, 'CHECKTEMPLATEVERIFY') }), undefined);
  });
});
