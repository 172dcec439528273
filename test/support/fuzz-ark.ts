/** Random and mangled inputs for what Ark's strangers send: its codecs one by one, and every call of its public door. */

import { signedIntent } from '../../src/ark/client/account.ts';
import { send } from '../../src/ark/client/offchain.ts';
import { type ArkPrefix, parseArkAddress, printArkAddress } from '../../src/ark/protocol/address.ts';
import { parseExtension, printExtension } from '../../src/ark/protocol/extension.ts';
import { parseIntentMessage, printIntentMessage } from '../../src/ark/protocol/intent-message.ts';
import { parseNote, printNote } from '../../src/ark/protocol/note.ts';
import {
  conditionOf,
  conditionPair,
  cosignerPairs,
  cosignersOf,
  encodeTapTree,
  expiryOf,
  expiryPair,
  parseTapTree,
  tapTreeOf,
  tapTreePair,
  withPairs,
} from '../../src/ark/protocol/psbt-fields.ts';
import { defaultVtxo, delegateVtxo, vtxoScript } from '../../src/ark/protocol/vtxo.ts';
import { parsePageToken, printPageToken } from '../../src/ark/server/page-token.ts';
import { pageBounds, pageRequest, whole } from '../../src/ark/wire/request.ts';
import { type Bytes, equal, fromBase64, type OutpointKey, toBase64, utf8 } from '../../src/base/bytes.ts';
import { sats } from '../../src/base/units.ts';
import { encodeClosure, parseClosure } from '../../src/bitcoin/closure.ts';
import { createPsbt, EMPTY_INPUT, parsePsbt, serializePsbt } from '../../src/bitcoin/psbt.ts';
import { DecodeError } from '../../src/bitcoin/reader.ts';
import { relativeTimelock } from '../../src/bitcoin/timelock.ts';
import { txIn } from '../../src/bitcoin/tx.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { loadSecp } from '../../src/runtime/secp-wasm.ts';
import type { Target } from './fuzz.ts';
import { FuzzFault } from './fuzz-fault.ts';
import { type Dice, pick } from './mutations.ts';
import { paid, type World, world } from './world.ts';

const secp = await loadSecp();
const text = (bytes: Bytes): string => new TextDecoder().decode(bytes);
const demand = (condition: boolean, message: string): void => {
  if (!condition) throw new FuzzFault(message);
};
const keyOf = (name: string): Bytes => secp.publicKey(sha256(utf8(name))).slice(1);
const [owner, signer, delegate] = ['owner', 'signer', 'delegate'].map(keyOf) as [Bytes, Bytes, Bytes];
const vtxos = [
  defaultVtxo(secp, owner, signer, relativeTimelock(20)),
  defaultVtxo(secp, owner, signer, relativeTimelock(1024)),
  delegateVtxo(secp, owner, delegate, signer, relativeTimelock(144)),
];

const sound = (corpus: readonly Bytes[]): Pick<Target, 'corpus' | 'odd'> => ({
  corpus,
  odd: (roll: Dice) => pick(roll, corpus),
});

/** Text that is read and printed again says the same. */
const texts = (corpus: readonly string[], again: (value: string) => string): Target => ({
  ...sound(corpus.map(utf8)),
  run(input) {
    const once = again(text(input));
    demand(again(once) === once, 'what was printed is read as something else');
  },
});

function psbtFields(): Target {
  const input = txIn({ txid: 'ab'.repeat(32) as never, vout: 0 });
  const tx = { version: 3, inputs: [input], outputs: [{ value: 1n, script: vtxos[0]!.script }], locktime: 0 };
  const pairs = [
    tapTreePair(vtxos[2]!.scripts),
    expiryPair(relativeTimelock(1024)),
    ...cosignerPairs([secp.publicKey(sha256(utf8('one'))), secp.publicKey(sha256(utf8('two')))]),
    conditionPair([utf8('preimage')]),
  ];
  return {
    ...sound([serializePsbt(createPsbt(tx, [withPairs(EMPTY_INPUT, ...pairs)]))]),
    run(bytes) {
      for (const each of parsePsbt(bytes).inputs) {
        for (const read of [tapTreeOf, expiryOf, cosignersOf, conditionOf]) read(each);
      }
    },
  };
}

const PAGES: readonly unknown[] = [
  ...[null, {}, { index: 1, size: 500 }, { index: '2', size: '3' }, { index: 2 ** 31 }, { size: -1 }, { size: 1e300 }],
  ...[[], 'x', 7, { index: {} }, { index: '0x1' }, { index: Number.MAX_SAFE_INTEGER, size: 2 ** 31 - 1 }],
];

const pages: Target = {
  ...sound(PAGES.map((page) => utf8(JSON.stringify({ page })))),
  run(input) {
    let fields: unknown;
    try {
      fields = JSON.parse(text(input));
    } catch {
      throw new DecodeError('no JSON');
    }
    if (typeof fields !== 'object' || fields === null) throw new DecodeError('no object');
    const page = pageRequest(fields as Record<string, unknown>);
    const { limit, offset } = pageBounds(page, 100, 100_000);
    demand(limit > 0 && limit <= 100_000 && Number.isSafeInteger(offset) && offset >= 0, 'a page without bounds');
    whole((fields as Record<string, unknown>).after, 'after');
  },
};

/** Requests of a life with boarding, notes, payments, batches and all kinds of questions: `METHOD path`, then the body. */
async function recorded(ark: World): Promise<Bytes[]> {
  const { publicApp } = ark.server;
  const requests = new Set<string>();
  const { request } = publicApp;
  publicApp.request = (input, init, ...rest) => {
    const url = new URL(String(input), 'http://ark');
    const { method = 'GET', body = '' } = (init ?? {}) as RequestInit;
    requests.add(`${method} ${url.pathname}${url.search}\n${body}`);
    return request(input, init, ...rest);
  };
  const [alice, bob] = [await ark.user('alice'), await ark.user('bob')];
  await ark.note(alice, 50_000);
  await ark.board(bob, 40_000);
  await ark.settle(alice, bob);
  const { coins } = await ark.everything(alice);
  const { arkTxid } = await ark.run(send(alice.client, alice.account, coins, [paid(bob.account, coins)]));
  await ark.settle(bob);
  const [coin] = (await ark.everything(bob)).coins;
  const { outpoint } = coin!;
  const proofs = (['get-pending-tx', 'get-data', 'delete', 'get-intent'] as const).map((type) =>
    signedIntent(bob.client, bob.account, { type, expireAt: Math.floor(ark.clock.now() / 1000) + 60 }, [coin!]),
  );
  for (const intent of proofs) {
    for (const path of ['/v1/tx/pending', '/v1/batch/deleteIntent', '/v1/batch/estimateFee']) {
      await publicApp.request(path, { method: 'POST', body: JSON.stringify({ intent }) });
    }
    const query = new URLSearchParams({ 'intent.proof': intent.proof, 'intent.message': intent.message });
    await publicApp.request(`/v1/indexer/vtxo/${outpoint.txid}/0/chain?${query}`);
  }
  const script = Buffer.from(bob.account.vtxo.script).toString('hex');
  const commitment = (await ark.db.read('select commitment_txid as txid from ark_batch'))[0]!.txid;
  for (const path of [
    `vtxos?scripts=${script}&page.index=1&page.size=5&after=1&spendableOnly=true`,
    `vtxos?outpoints=${outpoint.txid}:0&outpoints=${arkTxid}:0`,
    `vtxo/${arkTxid}/0/chain?page.size=2&pageToken=${printPageToken(`${arkTxid}:0` as OutpointKey, 2)}&token=x`,
    `virtualTx/${arkTxid},${outpoint.txid}?page.size=1`,
    `commitmentTx/${commitment}`,
    `commitmentTx/${commitment}/connectors?page.size=1`,
    `commitmentTx/${commitment}/forfeitTxs`,
    `batch/${commitment}/0/tree`,
    `batch/${commitment}/0/tree/leaves?page.index=2`,
    `batch/${commitment}/0/sweepTxs`,
    `asset/${'ab'.repeat(34)}`,
  ]) {
    await publicApp.request(`/v1/indexer/${path}`);
  }
  const subscribe = { method: 'POST', body: JSON.stringify({ scripts: [script] }) };
  await publicApp.request('/v1/indexer/script/subscribe', subscribe);
  await publicApp.request('/v1/indexer/script/unsubscribe', { ...subscribe, body: '{"subscriptionId":"x"}' });
  publicApp.request = request;
  return [...requests].map(utf8);
}

/** What a field may turn out to be. */
const ODD_VALUES: readonly unknown[] = [
  ...[null, true, 0, -1, 1e300, '', ' ', '\u0000', '\ud800', '__proto__', 'AAAA', '0', '-1', 'x'.repeat(5_000)],
  ...[[], {}, [[]], [null], [''], { intent: {} }, Array(300).fill('AA'), { '': '' }],
];

/** `value` with one thing in it changed. */
function twisted(value: unknown, roll: Dice): unknown {
  if (typeof value === 'string' && roll(2) === 0) return twistedText(value, roll);
  if (typeof value !== 'object' || value === null || roll(6) === 0) return pick(roll, ODD_VALUES);
  const entries = Object.entries(value);
  if (entries.length === 0) return pick(roll, ODD_VALUES);
  const chosen = roll(entries.length);
  const changed = entries.map(([name, each], i) => [name, i === chosen ? twisted(each, roll) : each] as const);
  return Array.isArray(value) ? changed.map(([, each]) => each) : Object.fromEntries(changed);
}

/** A byte of a PSBT is another, or a letter of anything else. */
function twistedText(value: string, roll: Dice): string {
  if (value.length > 40 && value.startsWith('cHNidP')) {
    const bytes = fromBase64(value);
    bytes[roll(bytes.length)]! ^= 1 << roll(8);
    return toBase64(bytes);
  }
  const at = roll(value.length + 1);
  return `${value.slice(0, at)}${String.fromCharCode(roll(256))}${value.slice(at + roll(2))}`;
}

async function arkDoor(): Promise<Target> {
  const failures: string[] = [];
  const logTo = (line: string): void => {
    if (line.includes('"a request failed"')) failures.push(line);
  };
  const ark = await world({ seed: 'fuzz', logTo });
  const corpus = await recorded(ark);
  return {
    corpus,
    odd(roll) {
      const [head = '', body = ''] = text(pick(roll, corpus)).split('\n');
      if (body === '') return utf8(`${twistedText(head, roll)}\n`);
      return utf8(`${head}\n${JSON.stringify(twisted(JSON.parse(body), roll))}`);
    },
    async run(input) {
      const whole = text(input);
      const end = whole.indexOf('\n');
      const [, method, path] = /^(GET|POST) (\/\S*)$/.exec(whole.slice(0, end)) ?? [];
      if (!method || !path) throw new DecodeError('no request');
      const body = method === 'POST' ? { body: whole.slice(end + 1) } : {};
      const response = await ark.server.publicApp.request(path, { method, ...body });
      const failed = failures.splice(0).join('');
      if (response.headers.get('content-type') === 'text/event-stream') await response.body!.cancel();
      else await response.text();
      if (failed !== '') throw new FuzzFault(`${method} ${path}: ${failed}`);
      return response.status < 400;
    },
  };
}

const printedMessage = (value: string): string => printIntentMessage(parseIntentMessage('register', value));

export const ARK_TARGETS: Readonly<Record<string, () => Target | Promise<Target>>> = {
  arkAddress: () =>
    texts(
      (['ark', 'tark'] as ArkPrefix[]).map((prefix) =>
        printArkAddress({ prefix, signer, outputKey: vtxos[0]!.outputKey }),
      ),
      (value) => printArkAddress(parseArkAddress(value)),
    ),
  note: () =>
    texts(
      [1, 12_345, 0xffffffff].map((value) => printNote({ preimage: sha256(utf8(`${value}`)), value: sats(value) })),
      (value) => printNote(parseNote(value)),
    ),
  intentMessage: () =>
    texts(
      [
        printIntentMessage({
          type: 'register',
          onchainOutputIndexes: [0, 2],
          validAt: 0,
          expireAt: 1_900_000_000,
          cosignersPublicKeys: [`02${'ab'.repeat(32)}`],
        }),
        '{"type":"register"}',
        `{"type":"register","cosigners_public_keys":["${'ab'.repeat(32)}"],"expire_at":0,"more":[{}]}`,
      ],
      printedMessage,
    ),
  pageToken: () => {
    const outpoint = `${'ab'.repeat(32)}:7` as OutpointKey;
    return texts(
      [0, 1, 50_000].map((offset) => printPageToken(outpoint, offset)),
      (value) => printPageToken(outpoint, parsePageToken(outpoint, value)),
    );
  },
  extension: () => ({
    ...sound([
      printExtension([{ type: 0, data: utf8('packet') }]),
      printExtension([
        { type: 1, data: new Uint8Array(300) },
        { type: 9, data: new Uint8Array(0) },
      ]),
    ]),
    run(input) {
      const once = printExtension(parseExtension(input));
      demand(equal(printExtension(parseExtension(once)), once), 'an extension changes when it is read again');
    },
  }),
  closure: () => ({
    ...sound(vtxos.flatMap(({ scripts }) => scripts)),
    run(input) {
      const closure = parseClosure(input);
      if (!closure) return false;
      return demand(equal(encodeClosure(closure), input), 'two scripts are one closure');
    },
  }),
  tapTree: () => ({
    ...sound(vtxos.map(({ scripts }) => encodeTapTree(scripts))),
    run(input) {
      const scripts = parseTapTree(input);
      vtxoScript(secp, scripts);
    },
  }),
  psbtFields,
  page: () => pages,
  arkDoor,
};
