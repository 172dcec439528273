/** Output scripts that tests pay to, each with the way to spend it. */
import { type Bytes, concat, utf8 } from '../../src/base/bytes.ts';
import { legacySighash } from '../../src/bitcoin/interpreter/legacy-sighash.ts';
import { segwitSighash } from '../../src/bitcoin/interpreter/segwit-sighash.ts';
import { OP, P2A_SCRIPT, p2tr, p2wpkh, push, pushNumber, script } from '../../src/bitcoin/script.ts';
import { SIGHASH, taprootSighash } from '../../src/bitcoin/sighash.ts';
import { assembleTapTree, controlBlock, NUMS_KEY, outputKey, tapTweak } from '../../src/bitcoin/taproot.ts';
import type { Tx, TxIn, TxOut } from '../../src/bitcoin/tx.ts';
import { hash160, sha256 } from '../../src/crypto/hash.ts';
import type { Secp } from '../../src/crypto/secp.ts';

export interface Lock {
  readonly script: Bytes;
  /** What unlocks input `index`; `prevouts` are the outputs spent, one per input. */
  unlock(tx: Tx, index: number, prevouts: readonly TxOut[]): Pick<TxIn, 'scriptSig' | 'witness'>;
}

const NOTHING = new Uint8Array(0);
const NO_AUX = new Uint8Array(32);

/** Anybody may spend it. */
export const anchor: Lock = { script: P2A_SCRIPT, unlock: () => ({ scriptSig: NOTHING, witness: [] }) };

function derInteger(bytes: Bytes): Bytes {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const minimal = bytes.subarray(start);
  const body = minimal[0]! & 0x80 ? concat(Uint8Array.of(0), minimal) : minimal;
  return concat(Uint8Array.of(2, body.length), body);
}

function der(compact: Bytes, type: number): Bytes {
  const body = concat(derInteger(compact.subarray(0, 32)), derInteger(compact.subarray(32)));
  return concat(Uint8Array.of(0x30, body.length), body, Uint8Array.of(type));
}

export interface Locks {
  readonly p2tr: Lock;
  readonly p2wpkh: Lock;
  readonly p2pkh: Lock;
  readonly nested: Lock;
  readonly p2wsh: Lock;
  /** A tapscript that asks for a relative lock, given as its sequence. */
  csv(sequence: number): Lock;
  /** A tapscript that asks for an absolute lock. */
  cltv(locktime: number): Lock;
}

/** All of one key, derived from `name`. */
export function locksOf(secp: Secp, name: string): Locks {
  const secret = sha256(utf8(name));
  const key = secp.publicKey(secret);
  const xonly = key.slice(1);
  const keyHash = hash160(key);
  const keyScript = script(OP.DUP, OP.HASH160, push(keyHash), OP.EQUALVERIFY, OP.CHECKSIG);
  const ecdsa = (message: Bytes): Bytes => der(secp.ecdsaSign(message, secret), SIGHASH.ALL);
  const v0 = (tx: Tx, index: number, code: Bytes, prevouts: readonly TxOut[]): Bytes =>
    ecdsa(segwitSighash(tx, index, code, prevouts[index]!.value, SIGHASH.ALL));

  const redeem = p2wpkh(keyHash);
  const witnessScript = script(push(key), OP.CHECKSIG);

  function leafLock(leaf: Bytes): Lock {
    const tree = assembleTapTree([leaf]);
    const output = outputKey(secp, NUMS_KEY, tree.root);
    const control = controlBlock(NUMS_KEY, output.parity, []);
    return {
      script: p2tr(output.xonly),
      unlock(tx, index, prevouts) {
        const message = taprootSighash(tx, index, prevouts, { leafHash: tree.leaves[0]!.hash })!;
        return { scriptSig: NOTHING, witness: [secp.schnorrSign(message, secret, NO_AUX), leaf, control] };
      },
    };
  }
  const locked = (value: number, op: number): Lock =>
    leafLock(script(pushNumber(BigInt(value)), op, OP.DROP, push(xonly), OP.CHECKSIG));

  return {
    p2tr: {
      script: p2tr(outputKey(secp, xonly).xonly),
      unlock(tx, index, prevouts) {
        const tweaked = secp.tweakSecret(secret, tapTweak(xonly));
        const message = taprootSighash(tx, index, prevouts)!;
        return { scriptSig: NOTHING, witness: [secp.schnorrSign(message, tweaked, NO_AUX)] };
      },
    },
    p2wpkh: {
      script: redeem,
      unlock: (tx, index, prevouts) => ({ scriptSig: NOTHING, witness: [v0(tx, index, keyScript, prevouts), key] }),
    },
    p2pkh: {
      script: keyScript,
      unlock: (tx, index) => ({
        scriptSig: script(push(ecdsa(legacySighash(tx, index, keyScript, SIGHASH.ALL))), push(key)),
        witness: [],
      }),
    },
    nested: {
      script: script(OP.HASH160, push(hash160(redeem)), OP.EQUAL),
      unlock: (tx, index, prevouts) => ({
        scriptSig: push(redeem),
        witness: [v0(tx, index, keyScript, prevouts), key],
      }),
    },
    p2wsh: {
      script: script(OP.FALSE, push(sha256(witnessScript))),
      unlock: (tx, index, prevouts) => ({
        scriptSig: NOTHING,
        witness: [v0(tx, index, witnessScript, prevouts), witnessScript],
      }),
    },
    csv: (sequence) => locked(sequence, OP.CHECKSEQUENCEVERIFY),
    cltv: (locktime) => locked(locktime, OP.CHECKLOCKTIMEVERIFY),
  };
}
