/** The client as a browser gets it: one bundle without polyfills, run where nothing of Node exists. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { createEsplora } from '../../src/chain/esplora/door.ts';
import { world } from '../support/world.ts';

const ENTRY = join(import.meta.dirname, '..', '..', 'src', 'ark', 'client', 'index.ts');

/** What every browser has and the client may use. */
const WEB = {
  AbortController,
  AbortSignal,
  ReadableStream,
  Response,
  TextDecoder,
  TextDecoderStream,
  TextEncoder,
  URL,
  crypto,
};

let bundle: string;
before(async () => {
  const { outputFiles } = await build({
    entryPoints: [ENTRY],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    globalName: 'ark',
    target: 'es2022',
    logLevel: 'silent',
  });
  bundle = outputFiles[0]!.text;
});

/** A page that settles a note, verifies what it got, keeps it, and asks what leaving would cost. */
const PAGE = `
const { createTransport, connect, createAggregators, referenceSecp, createAccount, coinOfNote, parseNote } = ark;
const random = (length) => crypto.getRandomValues(new Uint8Array(length));
globalThis.page = async (note) => {
  const transport = createTransport(fetch, 'http://ark');
  const client = await connect({ transport, secp: referenceSecp, random, aggregators: createAggregators(referenceSecp) });
  const account = createAccount(referenceSecp, client.terms, random(32));
  const chain = ark.createEsploraSource(fetch, 'http://explorer', client.terms.network);
  const store = ark.createExitStore(ark.createMemoryRecords());
  const keeper = ark.createKeeper({ client, account, chain, store });
  const coin = coinOfNote(referenceSecp, parseNote(note));
  const receivers = [{ value: coin.amount, script: account.vtxo.script }];
  const { vtxos } = await keeper.settle({ coins: [coin], receivers, onchain: [] });
  const fees = ark.createFeeWallet(referenceSecp, chain, account.secret, random);
  const report = await ark.verifyVtxo(client, chain, vtxos[0].outpoint, { vtxo: account.vtxo });
  const quote = await keeper.quote(vtxos[0].outpoint, fees);
  return JSON.stringify({
    standing: report.standing,
    codes: report.findings.map(({ code }) => code),
    value: String(report.output.value),
    transactions: quote.transactions,
    held: (await keeper.review()).length,
  });
};
`;

test('it asks for nothing that only Node has', () => {
  const names = ['require', 'process', 'Buffer', 'global', '__dirname', 'setImmediate'];
  const context = createContext({ ...WEB });
  runInContext(bundle, context);
  for (const name of names) assert.equal(runInContext(`typeof ${name}`, context), 'undefined', name);
  assert.doesNotMatch(bundle, /["']node:/);
  assert.equal(runInContext('typeof ark.connect', context), 'function');
});

test('a page settles, verifies, keeps and quotes', async () => {
  const w = await world({ seed: 'browser' });
  const { notes } = (await (
    await w.server.adminApp.request('/v1/admin/note', {
      method: 'POST',
      headers: { authorization: 'Bearer admin' },
      body: JSON.stringify({ amount: 30_000 }),
    })
  ).json()) as { notes: string[] };
  const explorer = createEsplora({ explorer: w.chain.explorer, chain: w.chain });
  const fetch = async (url: string, init: RequestInit): Promise<Response> =>
    url.startsWith('http://ark')
      ? w.server.publicApp.request(url.slice('http://ark'.length), init)
      : explorer.request(url.slice('http://explorer'.length), init);
  const context = createContext({ ...WEB, fetch });
  runInContext(bundle, context);
  runInContext(PAGE, context);
  const page = context.page as (note: string) => Promise<string>;
  assert.deepEqual(JSON.parse(await w.run(page(notes[0]!))), {
    standing: 'unconfirmed',
    codes: ['COMMITMENT_UNCONFIRMED'],
    value: '30000',
    transactions: 1,
    held: 1,
  });
});
