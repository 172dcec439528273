import type { Bytes } from '../../base/bytes.ts';
import { hash160, ripemd160, sha1, sha256, sha256d } from '../../crypto/hash.ts';
import { OP } from '../opcodes.ts';
import { push } from '../script.ts';
import { checkKeyEncoding, checkSignatureEncoding, compressedKey, parseLaxDer } from './ecdsa-encoding.ts';
import { check, fail } from './failure.ts';
import { legacySighash, withoutPiece } from './legacy-sighash.ts';
import type { Machine, Operation, Operations } from './machine.ts';
import { checkSchnorr } from './schnorr-check.ts';
import { segwitSighash } from './segwit-sighash.ts';
import { prevoutOf, requires } from './spend.ts';

const MAX_KEYS_PER_MULTISIG = 20;
/** BIP342: what one signature takes off the budget. */
const WEIGHT_PER_SIGNATURE = 50;

const hashTop =
  (hash: (bytes: Bytes) => Bytes): Operation =>
  ({ stack }) =>
    stack.push(hash(stack.pop()));

/** The part of the script that its signatures commit to; before segwit that is without the signatures themselves. */
function scriptCode(machine: Machine, signatures: readonly Bytes[]): Bytes {
  const { spend, version } = machine;
  let code = machine.script.subarray(machine.signedFrom);
  if (version === 'witnessV0') return code;
  for (const signature of signatures) {
    const rest = withoutPiece(code, push(signature));
    check(rest.length === code.length || !requires(spend, 'CONST_SCRIPTCODE'), 'SIG_FINDANDDELETE');
    code = rest;
  }
  return code;
}

/** Verifies ECDSA signatures over one script code, hashing but once for each sighash type. */
function ecdsaVerifier({ spend, version }: Machine, code: Bytes): (signature: Bytes, key: Bytes) => boolean {
  const hashes = new Map<number, Bytes>();
  const hashFor = (type: number): Bytes => {
    let hash = hashes.get(type);
    if (!hash) {
      const { tx, index } = spend;
      hash =
        version === 'base'
          ? legacySighash(tx, index, code, type)
          : segwitSighash(tx, index, code, prevoutOf(spend).value, type);
      hashes.set(type, hash);
    }
    return hash;
  };
  return (signature, key) => {
    checkSignatureEncoding(spend, signature);
    checkKeyEncoding(spend, key, version);
    const compressed = compressedKey(key);
    const compact = parseLaxDer(signature.subarray(0, -1));
    return (
      compressed !== undefined &&
      compact !== undefined &&
      spend.secp.ecdsaVerify(compact, hashFor(signature.at(-1)!), compressed)
    );
  };
}

function ecdsaCheck(machine: Machine, signature: Bytes, key: Bytes): boolean {
  const code = scriptCode(machine, [signature]);
  const valid = ecdsaVerifier(machine, code)(signature, key);
  check(valid || signature.length === 0 || !requires(machine.spend, 'NULLFAIL'), 'SIG_NULLFAIL');
  return valid;
}

/** BIP342: an empty signature is a refusal and any other must be right; keys of unknown size are for later rules. */
function tapscriptCheck({ spend, leaf, codeSeparator }: Machine, signature: Bytes, key: Bytes): boolean {
  if (!leaf) throw new TypeError('a tapscript runs with its leaf');
  const signed = signature.length > 0;
  if (signed) {
    leaf.weightLeft -= WEIGHT_PER_SIGNATURE;
    check(leaf.weightLeft >= 0, 'TAPSCRIPT_VALIDATION_WEIGHT');
  }
  check(key.length > 0, 'TAPSCRIPT_EMPTY_PUBKEY');
  if (key.length !== 32) {
    check(!requires(spend, 'DISCOURAGE_UPGRADABLE_PUBKEYTYPE'), 'DISCOURAGE_UPGRADABLE_PUBKEYTYPE');
  } else if (signed) {
    const annex = leaf.annex ? { annex: leaf.annex } : {};
    checkSchnorr(spend, signature, key, { leafHash: leaf.hash, codeSeparator, ...annex });
  }
  return signed;
}

const signatureCheck = (machine: Machine, signature: Bytes, key: Bytes): boolean =>
  machine.version === 'tapscript' ? tapscriptCheck(machine, signature, key) : ecdsaCheck(machine, signature, key);

function checkSig(machine: Machine): void {
  const { stack } = machine;
  const valid = signatureCheck(machine, stack.peek(2), stack.peek());
  stack.drop(2);
  stack.pushBool(valid);
}

/** Takes a count and as many elements off a stack that must hold one more; the topmost comes first. */
function takeCounted(machine: Machine, most: number, error: 'PUBKEY_COUNT' | 'SIG_COUNT'): Bytes[] {
  const { stack } = machine;
  const count = Number(stack.number());
  stack.pop();
  check(count >= 0 && count <= most, error);
  if (error === 'PUBKEY_COUNT') machine.countOperations(count);
  stack.need(count + 1);
  return Array.from({ length: count }, () => stack.pop());
}

/** Every signature in turn needs a key further down the list than the one before. */
function multisigHolds(machine: Machine, signatures: readonly Bytes[], keys: readonly Bytes[]): boolean {
  const verify = ecdsaVerifier(machine, scriptCode(machine, signatures));
  let signature = 0;
  for (let key = 0; signature < signatures.length; key++) {
    if (signatures.length - signature > keys.length - key) return false;
    if (verify(signatures[signature]!, keys[key]!)) signature++;
  }
  return true;
}

function checkMultisig(machine: Machine): void {
  check(machine.version !== 'tapscript', 'TAPSCRIPT_CHECKMULTISIG');
  const { stack, spend } = machine;
  const keys = takeCounted(machine, MAX_KEYS_PER_MULTISIG, 'PUBKEY_COUNT');
  const signatures = takeCounted(machine, keys.length, 'SIG_COUNT');
  const valid = multisigHolds(machine, signatures, keys);
  const refused = signatures.every((signature) => signature.length === 0);
  check(valid || refused || !requires(spend, 'NULLFAIL'), 'SIG_NULLFAIL');
  // BIP147: one element too many is taken, by an old mistake that became the rule; it shall be empty.
  const dummy = stack.pop();
  check(dummy.length === 0 || !requires(spend, 'NULLDUMMY'), 'SIG_NULLDUMMY');
  stack.pushBool(valid);
}

export const CRYPTO_OPS: Operations = {
  [OP.RIPEMD160]: hashTop(ripemd160),
  [OP.SHA1]: hashTop(sha1),
  [OP.SHA256]: hashTop(sha256),
  [OP.HASH160]: hashTop(hash160),
  [OP.HASH256]: hashTop(sha256d),
  [OP.CODESEPARATOR](machine, { ordinal, end }) {
    machine.signedFrom = end;
    machine.codeSeparator = ordinal;
  },
  [OP.CHECKSIG]: checkSig,
  [OP.CHECKSIGVERIFY](machine) {
    checkSig(machine);
    machine.verifyTop('CHECKSIGVERIFY');
  },
  [OP.CHECKSIGADD](machine) {
    const { stack } = machine;
    if (machine.version !== 'tapscript') fail('BAD_OPCODE');
    stack.need(3);
    const count = stack.number(2);
    const valid = signatureCheck(machine, stack.peek(3), stack.peek());
    stack.drop(3);
    stack.pushNumber(valid ? count + 1n : count);
  },
  [OP.CHECKMULTISIG]: checkMultisig,
  [OP.CHECKMULTISIGVERIFY](machine) {
    checkMultisig(machine);
    machine.verifyTop('CHECKMULTISIGVERIFY');
  },
};
