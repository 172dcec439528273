/** Output descriptors (BIP380 and after) as far as single keys and plain scripts go. */
import { type Bytes, toHex } from '../../../base/bytes.ts';
import { addressOf } from '../../../bitcoin/address.ts';
import { compressedKey } from '../../../bitcoin/interpreter/ecdsa-encoding.ts';
import { instructions, OP, p2tr, p2wpkh, push, pushNumber, script } from '../../../bitcoin/script.ts';
import { tapTweak } from '../../../bitcoin/taproot.ts';
import { hash160, sha256 } from '../../../crypto/hash.ts';
import type { Secp } from '../../../crypto/secp.ts';
import { multisigOf, scriptTypeOf } from '../../script-type.ts';
import { addressScript } from './address-script.ts';
import { hexBytes } from './arguments.ts';
import { checksumOf, withChecksum } from './descriptor-checksum.ts';
import { demand, RpcError } from './error.ts';

const isHybrid = (key: Bytes): boolean => key[0] === 6 || key[0] === 7;

/** Keys that bare scripts name, as a descriptor of them. */
function bareDescriptor(output: Bytes): string | undefined {
  const type = scriptTypeOf(output);
  if (type !== 'pubkey' && type !== 'multisig') return undefined;
  const keys = [...instructions(output)].flatMap(({ data }) => (data ? [data] : []));
  if (keys.some(isHybrid)) return undefined;
  const names = keys.map(toHex).join(',');
  return type === 'pubkey' ? `pk(${names})` : `multi(${multisigOf(output)!.required},${names})`;
}

/** What bitcoind says of a script when it knows no keys for it, checksum included. */
export function inferDescriptor(secp: Secp, output: Bytes): string {
  const isTaprootKey = scriptTypeOf(output) === 'witness_v1_taproot' && secp.isXonly(output.subarray(2));
  const address = addressOf('regtest', output);
  return withChecksum(
    bareDescriptor(output) ??
      (isTaprootKey
        ? `rawtr(${toHex(output.subarray(2))})`
        : address === undefined
          ? `raw(${toHex(output)})`
          : `addr(${address})`),
  );
}

/** A script that a descriptor stands for, and the descriptor of just this script. */
export interface Described {
  readonly script: Bytes;
  readonly descriptor: string;
}

const bad = (message: string): RpcError => new RpcError('notFound', message);

const p2pk = (key: Bytes): Bytes => script(push(key), OP.CHECKSIG);
const p2pkh = (key: Bytes): Bytes => script(OP.DUP, OP.HASH160, push(hash160(key)), OP.EQUALVERIFY, OP.CHECKSIG);
const p2sh = (redeem: Bytes): Bytes => script(OP.HASH160, push(hash160(redeem)), OP.EQUAL);
const p2wsh = (witness: Bytes): Bytes => script(OP.FALSE, push(sha256(witness)));

function keyOf(secp: Secp, text: string, mayBeLong: boolean): Bytes {
  const key = /^([0-9a-fA-F]{66}|[0-9a-fA-F]{130})$/.test(text) ? hexBytes(text, 'key') : undefined;
  const compressed = key && !isHybrid(key) ? compressedKey(key) : undefined;
  if (!key || !compressed || !secp.isPublicKey(compressed)) throw bad(`key '${text.slice(0, 140)}' is not valid`);
  if (!mayBeLong && key.length !== 33) throw bad('Uncompressed keys are not allowed');
  return key;
}

/** BIP386 lets a compressed key stand for its x coordinate. */
function xonlyOf(secp: Secp, text: string): Bytes {
  const key = /^[0-9a-fA-F]{64}$/.test(text) ? hexBytes(text, 'key') : keyOf(secp, text, false).subarray(1);
  if (!secp.isXonly(key)) throw bad(`key '${text.slice(0, 140)}' is not valid`);
  return key;
}

/** Scripts over keys that may stand alone, in P2SH or in P2WSH; `undefined` for another function. */
function keyScript(secp: Secp, name: string, argument: string, mayBeLong: boolean): Bytes | undefined {
  switch (name) {
    case 'pk':
      return p2pk(keyOf(secp, argument, mayBeLong));
    case 'pkh':
      return p2pkh(keyOf(secp, argument, mayBeLong));
    case 'multi': {
      const [required = '', ...names] = argument.split(',');
      const keys = names.map((text) => keyOf(secp, text, mayBeLong));
      if (!/^[1-9][0-9]?$/.test(required) || keys.length > 16 || Number(required) > keys.length) {
        throw bad(`Cannot have a ${required}-of-${keys.length} multisig`);
      }
      const count = pushNumber(BigInt(keys.length));
      return script(pushNumber(BigInt(required)), ...keys.map(push), count, OP.CHECKMULTISIG);
    }
    default:
      return undefined;
  }
}

const split = (expression: string): readonly [string, string] => {
  const match = /^([a-z]+)\((.*)\)$/s.exec(expression);
  if (!match) throw bad(`'${expression.slice(0, 140)}' is not a valid descriptor function`);
  return [match[1]!, match[2]!];
};

/** What stands inside `sh()` or `wsh()`. */
function innerScript(secp: Secp, expression: string, isWitness: boolean): Bytes {
  const [name, argument] = split(expression);
  if (!isWitness && name === 'wpkh') return p2wpkh(hash160(keyOf(secp, argument, false)));
  if (!isWitness && name === 'wsh') return p2wsh(innerScript(secp, argument, true));
  const found = keyScript(secp, name, argument, !isWitness);
  if (!found) throw bad(`A function is needed within ${isWitness ? 'P2WSH' : 'P2SH'}`);
  return found;
}

function taprootOf(secp: Secp, argument: string): Bytes {
  const internal = xonlyOf(secp, argument);
  const output = secp.tweakXonly(internal, tapTweak(internal));
  if (!output) throw bad(`key '${argument}' is not valid`);
  return p2tr(output.xonly);
}

function scriptOf(secp: Secp, expression: string): Bytes {
  const [name, argument] = split(expression);
  switch (name) {
    case 'wpkh':
      return p2wpkh(hash160(keyOf(secp, argument, false)));
    case 'sh':
      return p2sh(innerScript(secp, argument, false));
    case 'wsh':
      return p2wsh(innerScript(secp, argument, true));
    case 'tr':
      return taprootOf(secp, argument);
    case 'rawtr':
      return p2tr(xonlyOf(secp, argument));
    default: {
      const found = keyScript(secp, name, argument, true);
      if (!found) throw bad(`'${expression.slice(0, 140)}' is not a valid descriptor function`);
      return found;
    }
  }
}

/** BIP383's other spelling of a multisig script, in the plain one. */
const unsorted = (expression: string): string =>
  expression.replace(
    /sortedmulti\(([^(),]*),([^()]*)\)/,
    (_, required: string, keys: string) => `multi(${required},${keys.toLowerCase().split(',').sort().join(',')})`,
  );

/** The keys of a well-formed expression with their fingerprints (BIP380), in taproot by their x coordinates. */
const explained = (expression: string): string =>
  expression.replace(/[0-9a-fA-F]{64,130}/g, (text, at: number) => {
    const key = hexBytes(text.length === 64 ? `02${text}` : text, 'key');
    const name = expression.startsWith('tr(', at - 3) ? toHex(key.subarray(1)) : toHex(key);
    return `[${toHex(hash160(key).subarray(0, 4))}]${name}`;
  });

/** The expression without its checksum, which must be right where there is one. */
export function checkedExpression(descriptor: string): string {
  const [expression = '', given, ...rest] = descriptor.split('#');
  demand(rest.length === 0, 'notFound', "Multiple '#' symbols");
  const expected = checksumOf(expression);
  demand(expected !== undefined, 'notFound', 'Invalid characters in payload');
  demand(
    given === undefined || given === expected,
    'notFound',
    `Provided checksum '${given}' does not match computed checksum '${expected}'`,
  );
  return expression;
}

/** BIP384: a combination stands for all that a wallet of one key might have paid to. */
function expressionsOf(secp: Secp, expression: string): readonly string[] {
  const [name, argument] = split(expression);
  if (name !== 'combo') return [unsorted(expression)];
  const legacy = [`pk(${argument})`, `pkh(${argument})`];
  const isCompressed = keyOf(secp, argument, true).length === 33;
  return isCompressed ? [...legacy, `wpkh(${argument})`, `sh(wpkh(${argument}))`] : legacy;
}

/** The scripts of a descriptor over keys in hex. Throws `RpcError` when it is malformed or asks for more than that. */
export function parseDescriptor(secp: Secp, descriptor: string): readonly Described[] {
  const expression = checkedExpression(descriptor);
  const [name, argument] = split(expression);
  if (name === 'raw' || name === 'addr') {
    const output = name === 'raw' ? hexBytes(argument, 'raw') : addressScript(argument, 'Address is not valid');
    return [{ script: output, descriptor: inferDescriptor(secp, output) }];
  }
  return expressionsOf(secp, expression).map((text) => ({
    script: scriptOf(secp, text),
    descriptor: withChecksum(explained(text)),
  }));
}
