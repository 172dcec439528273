/** Random and mangled inputs for everything that parses what strangers send. */
import fc from 'fast-check';
import { parseAssetPacket, printAssetPacket } from '../../src/ark/protocol/asset-packet.ts';
import { type Bytes, concat, equal, fromHex, toBase64, toHex, utf8 } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { addressOf, parseAddress } from '../../src/bitcoin/address.ts';
import { parseBlock, serializeBlock } from '../../src/bitcoin/block.ts';
import { CONSENSUS_FLAGS, STANDARD_FLAGS, verifyInput } from '../../src/bitcoin/interpreter/verify.ts';
import { parsePsbt, serializePsbt } from '../../src/bitcoin/psbt.ts';
import { DecodeError } from '../../src/bitcoin/reader.ts';
import { instructions, OP, push, script } from '../../src/bitcoin/script.ts';
import { parseTx, serializeTx, type Tx, txHex, txIn } from '../../src/bitcoin/tx.ts';
import { createRegtestChain } from '../../src/chain/regtest/chain.ts';
import { GENESIS } from '../../src/chain/regtest/params.ts';
import { createDispatch } from '../../src/chain/regtest/rpc/dispatch.ts';
import { createMethods } from '../../src/chain/regtest/rpc/methods.ts';
import { scriptAsm } from '../../src/chain/script-asm.ts';
import { scriptTypeOf } from '../../src/chain/script-type.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { loadSecp } from '../../src/runtime/secp-wasm.ts';
import { psbt, tx } from './arbitrary.ts';
import { assetPacket } from './asset-packets.ts';
import { ARK_TARGETS } from './fuzz-ark.ts';
import { FuzzFault } from './fuzz-fault.ts';
import { locksOf } from './locks.ts';
import { type Dice, pick } from './mutations.ts';

export interface Target {
  readonly corpus: readonly Bytes[];
  /** Inputs that are sound in form and odd in what they say, where mangled bytes would hardly ever get that far. */
  readonly odd?: (roll: Dice) => Bytes;
  /** Takes one input; throws what the parser throws, or a {@link FuzzFault} of its own. False is a refusal too. */
  run(input: Bytes): unknown;
}

const demand = (condition: boolean, message: string): void => {
  if (!condition) throw new FuzzFault(message);
};

const secp = await loadSecp();
const SAMPLES = 40;
const sampled = <T>(arbitrary: fc.Arbitrary<T>): readonly T[] => fc.sample(arbitrary, { seed: 1, numRuns: SAMPLES });
const text = (bytes: Bytes): string => new TextDecoder().decode(bytes);

/** Bytes that were understood have to come back the same, since ids are hashes of them. */
const exact =
  <T>(parse: (bytes: Bytes) => T, serialize: (value: T) => Bytes) =>
  (input: Bytes): void => {
    demand(equal(serialize(parse(input)), input), 'what was read is not what is written');
  };

/** Runs the script as output, as P2SH-like input and as witness script, which end in a verdict and not in a throw. */
function runScripts(input: Bytes): void {
  scriptAsm(input);
  scriptTypeOf(input);
  addressOf('regtest', input);
  const middle = input.length >> 1;
  const spending = (scriptSig: Bytes, witness: readonly Bytes[]): Tx => ({
    version: 2,
    inputs: [{ ...txIn({ txid: 'ab'.repeat(32) as never, vout: 0 }), scriptSig, witness }],
    outputs: [{ value: 1n, script: input }],
    locktime: 5,
  });
  const cases: readonly (readonly [Tx, Bytes])[] = [
    [spending(input.subarray(0, middle), []), input.subarray(middle)],
    [spending(new Uint8Array(0), [input.subarray(0, middle), input]), script(OP.FALSE, push(sha256(input)))],
    [
      spending(new Uint8Array(0), [input.subarray(0, middle), input.subarray(middle)]),
      script(OP.ONE, push(sha256(input))),
    ],
  ];
  for (const [spend, output] of cases) {
    for (const flags of [CONSENSUS_FLAGS, STANDARD_FLAGS]) {
      verifyInput(secp, spend, 0, [{ value: 1_000n, script: output }], flags);
    }
  }
  for (const _ of instructions(input));
}

const SCRIPT_WORDS = sampled(
  fc.array(fc.oneof(fc.integer({ min: 0x4f, max: 0xbb }), fc.uint8Array({ maxLength: 40 }).map(push)), {
    maxLength: 30,
  }),
).map((words) => script(...words));

const locks = locksOf(secp, 'fuzz');
const ADDRESSES = [
  ...[locks.p2tr, locks.p2wpkh, locks.p2pkh, locks.nested, locks.p2wsh].map(
    (lock) => addressOf('regtest', lock.script)!,
  ),
  addressOf('regtest', script(OP.SIXTEEN, push(new Uint8Array(40).fill(1))))!,
];

function runAddress(input: Bytes): void {
  const output = parseAddress('regtest', text(input));
  const address = addressOf('regtest', output);
  demand(address !== undefined && equal(parseAddress('regtest', address), output), 'an address is of another script');
}

/** What a parameter may turn out to be. */
const ODD_VALUES: readonly unknown[] = [
  ...[null, true, -1, 0, 1, 2, 3, 0.5, 1e-9, 1e300, 2 ** 31, 2 ** 32, -(2 ** 63), 21_000_001],
  ...['', '1', 'start', 'zz', '00', 'ab'.repeat(32), 'AB'.repeat(32), 'ab'.repeat(33), '\u0000', '\ud800', '__proto__'],
  ...[[], [[]], [null], [''], ['00'], {}, { height: 1 }, { desc: 'wpkh()' }, [{ desc: 'raw(zz)', range: -1 }]],
];

function rpcTarget(): Target {
  const chain = createRegtestChain({ secp, now: () => 1_750_000_000, initialBlocks: 3 });
  const methods = createMethods({ chain, node: chain.node, secp, version: '0.0.0', uptime: () => 1 });
  let fault: unknown;
  const dispatch = createDispatch(methods, (error) => (fault = error));
  const [sample] = sampled(tx) as [Tx];
  const calls: readonly (readonly [string, ...unknown[]])[] = [
    ['getblockchaininfo'],
    ['getblock', toHex(GENESIS.subarray(4, 36)), 2],
    ['getblockhash', 1],
    ['getblockheader', 'ab'.repeat(32), true],
    ['getrawtransaction', 'ab'.repeat(32), 1, null],
    ['sendrawtransaction', txHex(sample), 0.1, '0.00001'],
    ['testmempoolaccept', [txHex(sample)], 1e-8],
    ['submitpackage', [txHex(sample), txHex(sample)]],
    ['submitblock', toHex(GENESIS)],
    ['getmempoolentry', 'ab'.repeat(32)],
    ['gettxout', 'ab'.repeat(32), 0, false],
    ['scantxoutset', 'start', [`addr(${ADDRESSES[0]})`, { desc: `raw(${toHex(locks.p2tr.script)})`, range: [0, 3] }]],
    ['estimatesmartfee', 6, 'economical'],
    ['help', 'getblock'],
    ['getbalance'],
  ];
  const named = { jsonrpc: '2.0', id: 'x', method: 'getblockhash', params: { height: 1 } };
  const requests = calls.map(([method, ...params], id) => ({ jsonrpc: '1.0', id, method, params }));
  const odd = (roll: Dice): unknown => {
    const { params, ...request } = pick(roll, requests);
    const strange = params.map((value) => (roll(2) === 0 ? pick(roll, ODD_VALUES) : value));
    return { ...request, params: roll(4) === 0 ? [...strange, pick(roll, ODD_VALUES)] : strange };
  };
  return {
    odd: (roll) => utf8(JSON.stringify(odd(roll))),
    corpus: [...requests, named, [named, ...requests.slice(0, 3)]].map((request) => utf8(JSON.stringify(request))),
    async run(input) {
      const { status, body } = await dispatch(text(input));
      const failed = fault;
      fault = undefined;
      if (failed) throw new FuzzFault('internal error', { cause: failed });
      demand((status === 204) === (body === undefined), 'an answer has a body');
      return status === 200;
    },
  };
}

/** Everything that is fuzzed, by name. */
export const TARGETS: Readonly<Record<string, () => Target | Promise<Target>>> = {
  transaction: () => ({
    corpus: sampled(tx).map((value) => serializeTx(value)),
    run: exact((bytes) => parseTx(bytes), serializeTx),
  }),
  psbt: () => ({
    corpus: sampled(psbt).map(serializePsbt),
    run(input) {
      const once = serializePsbt(parsePsbt(input));
      demand(equal(serializePsbt(parsePsbt(toBase64(once))), once), 'a PSBT changes when it is read again');
    },
  }),
  assetPacket: () => ({
    corpus: sampled(assetPacket).map(printAssetPacket),
    run: exact(parseAssetPacket, printAssetPacket),
  }),
  script: () => ({ corpus: [...SCRIPT_WORDS, locks.p2pkh.script, locks.nested.script], run: runScripts }),
  address: () => ({ corpus: ADDRESSES.map(utf8), run: runAddress }),
  block: () => ({
    corpus: [
      GENESIS,
      ...sampled(fc.array(tx, { maxLength: 3 })).map((txs) => serializeBlock({ ...parseBlock(GENESIS), txs })),
    ],
    run: exact((bytes) => parseBlock(bytes), serializeBlock),
  }),
  hex: () => ({
    corpus: sampled(tx).map((value) => utf8(txHex(value))),
    run: (input) => {
      const value = text(input);
      demand(txHex(parseTx(value)) === value.toLowerCase(), 'what was read is not what is written');
      return fromHex(value);
    },
  }),
  rpc: rpcTarget,
  ...ARK_TARGETS,
};

const randomBytes = (roll: Dice, length: number): Bytes => Uint8Array.from({ length }, () => roll(256));

/** Lengths and counts at the edges of what their encodings can say. */
const EDGES = [
  '00',
  'fc',
  'fd0000',
  'fdfdff',
  'feffffffff',
  'ffffffffffffffffff',
  '4c',
  '4dffff',
  '4effffffff',
  '7f',
  '80',
];

function mangledOnce(input: Bytes, corpus: readonly Bytes[], roll: Dice): Bytes {
  const at = roll(input.length + 1);
  const before = input.subarray(0, at);
  const after = input.subarray(at);
  switch (roll(7)) {
    case 0:
      return before;
    case 1:
      return concat(before, randomBytes(roll, 1 + roll(9)), after);
    case 2:
      return concat(before, after.subarray(1 + roll(9)));
    case 3:
      return concat(before, fromHex(pick(roll, EDGES)), after.subarray(roll(4)));
    case 4: {
      const other = pick(roll, corpus);
      return concat(before, other.subarray(roll(other.length + 1)));
    }
    case 5:
      return concat(before, before.subarray(-(1 + roll(40))), after);
    default:
      return input.map((byte, i) => (i === at ? byte ^ (1 << roll(8)) : byte));
  }
}

/** One time in eight nothing but chance, else something sound that was changed in one to four places. */
export function fuzzInput({ corpus, odd }: Target, roll: Dice): Bytes {
  if (roll(8) === 0) return randomBytes(roll, roll(200));
  if (odd && roll(2) === 0) return odd(roll);
  let input = pick(roll, corpus);
  for (let count = 1 + roll(4); count > 0; count--) input = mangledOnce(input, corpus, roll);
  return input;
}

export interface FuzzResult {
  readonly accepted: number;
  readonly refused: number;
  readonly slowestMs: number;
}

const isRefusal = (error: unknown): boolean =>
  error instanceof DecodeError || error instanceof TypeError || error instanceof ProtocolError;
const SLOW_MS = 2_000;

/** Throws {@link FuzzFault}, with the input in hex, at the first that is neither understood nor refused clearly. */
export async function fuzz(name: string, inputs: number, roll: Dice): Promise<FuzzResult> {
  const target = await TARGETS[name]!();
  let [accepted, slowestMs] = [0, 0];
  const attempt = async (input: Bytes): Promise<boolean> => {
    const outcome = target.run(input);
    return (outcome instanceof Promise ? await outcome : outcome) !== false;
  };
  for (let i = 0; i < inputs; i++) {
    const input = fuzzInput(target, roll);
    const began = performance.now();
    try {
      if (await attempt(input)) accepted++;
    } catch (error) {
      if (!isRefusal(error) || /undefined|null|is not a function/.test((error as Error).message)) {
        throw new FuzzFault(`${name}, input ${i}: ${toHex(input)}`, { cause: error });
      }
    }
    const took = performance.now() - began;
    if (took > SLOW_MS) throw new FuzzFault(`${name}, input ${i} took ${took.toFixed(0)} ms: ${toHex(input)}`);
    slowestMs = Math.max(slowestMs, took);
  }
  return { accepted, refused: inputs - accepted, slowestMs };
}
