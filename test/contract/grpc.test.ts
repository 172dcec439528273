import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import * as grpc from '@grpc/grpc-js';
import type { Hono } from 'hono';
import { signedIntent } from '../../src/ark/client/account.ts';
import { registerIntent } from '../../src/ark/client/batch.ts';
import { createCosignerKey } from '../../src/ark/client/tree-cosigning.ts';
import { createDoor } from '../../src/ark/server/door.ts';
import { createArkMetrics } from '../../src/ark/server/metrics.ts';
import { AdminService } from '../../src/ark/wire/gen/ark/v1/admin_pb.ts';
import { IndexerService } from '../../src/ark/wire/gen/ark/v1/indexer_pb.ts';
import { ArkService } from '../../src/ark/wire/gen/ark/v1/service_pb.ts';
import { SignerManagerService } from '../../src/ark/wire/gen/ark/v1/signer_manager_pb.ts';
import { WalletInitializerService, WalletService } from '../../src/ark/wire/gen/ark/v1/wallet_pb.ts';
import { unixSeconds } from '../../src/base/units.ts';
import { createHttpServer, type GrpcListener, type HttpServer } from '../../src/runtime/http.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { createMetrics } from '../../src/runtime/metrics.ts';
import { createStreams } from '../../src/runtime/sse.ts';
import { issue } from '../support/assets.ts';
import {
  type ArkServiceName,
  type GrpcClient,
  GrpcRefusal,
  type GrpcStream,
  grpcClient,
  healthClient,
  type Message,
  ReflectionClient,
} from '../support/grpc.ts';
import { ADMIN_TOKEN, world } from '../support/world.ts';

const TXID = 'ab'.repeat(32);
const SCRIPT = `5120${'11'.repeat(32)}`;

const w = await world({ seed: 'grpc' });
const alice = await w.user('alice');
await w.board(alice, 100_000);
await w.settle(alice);
const { publicApp, publicGrpc, adminApp, adminGrpc } = w.server;
const servers: HttpServer[] = [];
const serve = async (app: Hono, listener: GrpcListener): Promise<string> => {
  const server = createHttpServer(app, { host: '127.0.0.1', port: 0, grpc: listener });
  servers.push(server);
  return `http://127.0.0.1:${await server.start()}`;
};
const [url, adminUrl] = [await serve(publicApp, publicGrpc), await serve(adminApp, adminGrpc)];
const clients: { close(): void }[] = [];
after(async () => {
  for (const client of clients) client.close();
  await Promise.all(servers.map((server) => server.stop()));
});

const kept = <T extends { close(): void }>(client: T): T => {
  clients.push(client);
  return client;
};
const service = (name: ArkServiceName, at = url): GrpcClient => kept(grpcClient(name, at));

async function refusal(work: Promise<unknown>): Promise<GrpcRefusal> {
  const error = await work.then(
    () => assert.fail('it was not refused'),
    (error) => error,
  );
  assert.ok(error instanceof GrpcRefusal, String(error));
  return error;
}

const rest = async (path: string, init?: RequestInit): Promise<Message> =>
  (await fetch(`${url}${path}`, init)).json() as Promise<Message>;

async function openStreams(kind: 'batch' | 'transactions' | 'scripts'): Promise<number> {
  const printed = await (await fetch(`${adminUrl}/metrics`)).text();
  return Number(new RegExp(`canalworks_ark_streams\\{kind="${kind}"\\} ([0-9]+)`).exec(printed)![1]);
}

const pause = (ms: number): Promise<undefined> => new Promise((resolve) => setTimeout(resolve, ms, undefined));

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function skipHeartbeats(stream: GrpcStream): Promise<Message> {
  for (;;) {
    const message = (await stream.next())!;
    if (!message.heartbeat) return message;
  }
}

test('the terms are the same over gRPC and REST, on one port', async () => {
  const info = await service('ArkService').call('GetInfo');
  const overRest = await rest('/v1/info');
  assert.equal(info.digest, overRest.digest);
  assert.deepEqual({ ...info, serviceStatus: {} }, overRest);
});

test('a refusal carries status, sentence and details', async () => {
  const request = { signedArkTx: 'invalid', checkpointTxs: ['invalid'] };
  const { status, details, message } = await refusal(service('ArkService').call('SubmitTx', request));
  const answer = await rest('/v1/tx/submit', { method: 'POST', body: JSON.stringify(request) });
  assert.equal(status, answer.code);
  assert.equal(message, answer.message);
  assert.deepEqual(details, answer.details[0]);
  assert.deepEqual(details!.metadata, { tx: 'invalid' });
});

test('statuses follow the codes, and a request that cannot be read has no details', async () => {
  const [ark, indexer] = [service('ArkService'), service('IndexerService')];
  const missing = await refusal(ark.call('RegisterIntent'));
  assert.deepEqual([missing.status, missing.details], [grpc.status.INVALID_ARGUMENT, undefined]);
  const unknown = await refusal(indexer.call('GetCommitmentTx', { txid: TXID }));
  assert.deepEqual([unknown.status, unknown.details?.name], [grpc.status.NOT_FOUND, 'TX_NOT_FOUND']);
  const stale = await refusal(ark.call('SubmitTx', {}, { 'x-digest': 'old' }));
  assert.deepEqual([stale.status, stale.details?.name], [grpc.status.FAILED_PRECONDITION, 'DIGEST_MISMATCH']);
  assert.equal(stale.details!.metadata.got_digest, 'old');
  assert.equal(stale.details!.metadata.expected_digest, (await ark.call('GetInfo', {}, { 'x-digest': 'old' })).digest);
});

test('every method of the public services is served, and refuses nonsense as REST does', async () => {
  const nonsense: Record<string, Record<string, object>> = {
    ArkService: {
      RegisterIntent: { intent: { proof: 'x', message: 'y' } },
      EstimateIntentFee: { intent: { proof: 'x', message: 'y' } },
      DeleteIntent: { intent: { proof: 'x', message: 'y' } },
      ConfirmRegistration: { intentId: 'x' },
      SubmitTreeNonces: { batchId: 'x', pubkey: 'y', treeNonces: { z: 'z' } },
      SubmitTreeSignatures: { batchId: 'x', pubkey: 'y', treeSignatures: { z: 'z' } },
      SubmitSignedForfeitTxs: { signedForfeitTxs: ['x'] },
      UpdateStreamTopics: { streamId: 'x' },
      SubmitTx: {},
      FinalizeTx: { arkTxid: 'x' },
      GetPendingTx: { intent: { proof: 'x', message: 'y' } },
    },
    IndexerService: {
      GetCommitmentTx: { txid: 'x' },
      GetConnectors: { txid: 'x' },
      GetForfeitTxs: { txid: 'x' },
      GetVtxoTree: { batchOutpoint: { txid: 'x' } },
      GetVtxoTreeLeaves: { batchOutpoint: { txid: 'x' } },
      GetBatchSweepTransactions: { batchOutpoint: { txid: 'x' } },
      GetVtxos: { scripts: ['x'], outpoints: ['y'] },
      GetVtxoChain: { outpoint: { txid: 'x' } },
      GetVirtualTxs: { txids: ['x'] },
      SubscribeForScripts: { scripts: ['x'] },
      UnsubscribeForScripts: { subscriptionId: 'x' },
    },
  };
  for (const [name, methods] of Object.entries(nonsense)) {
    const client = service(name as ArkServiceName);
    for (const [method, request] of Object.entries(methods)) {
      const { status, details } = await refusal(client.call(method, request));
      assert.ok(details || status === grpc.status.INVALID_ARGUMENT, `${method}: ${status}`);
    }
  }
});

/** Without what the two tell differently. */
const undated = (answer: object): object =>
  JSON.parse(JSON.stringify(answer, (name, value) => (name === 'expiresAt' ? undefined : value)));

test('what the indexer knows reads the same over both', async () => {
  const indexer = service('IndexerService');
  const script = Buffer.from(alice.account.vtxo.script).toString('hex');
  const { vtxos } = await indexer.call('GetVtxos', { scripts: [script], spendableOnly: true, page: { size: 5 } });
  const same = await rest(`/v1/indexer/vtxos?scripts=${script}&spendableOnly=true&page.size=5`);
  assert.equal(vtxos.length, 1);
  assert.deepEqual(undated(vtxos), undated(same.vtxos));
  // A height is told as a time that lies ahead.
  const blocks = Number(same.vtxos[0].expiresAt) - (await w.chain.tip()).height;
  assert.equal(Number(vtxos[0].expiresAt), Math.floor(w.clock.now() / 1000) + 600 * blocks);
  const { outpoint, commitmentTxids } = vtxos[0];
  const [commitment] = commitmentTxids;
  const batchOutpoint = { txid: commitment, vout: 0 };
  const pairs: [method: string, request: object, path: string][] = [
    [
      'GetVtxos',
      { outpoints: [`${outpoint.txid}:${outpoint.vout}`] },
      `vtxos?outpoints=${outpoint.txid}:${outpoint.vout}`,
    ],
    ['GetVtxoChain', { outpoint }, `vtxo/${outpoint.txid}/${outpoint.vout}/chain`],
    [
      'GetVtxoChain',
      { outpoint, page: { size: 1, index: 2 } },
      `vtxo/${outpoint.txid}/${outpoint.vout}/chain?page.size=1&page.index=2`,
    ],
    ['GetVirtualTxs', { txids: [outpoint.txid, TXID] }, `virtualTx/${outpoint.txid},${TXID}`],
    ['GetCommitmentTx', { txid: commitment }, `commitmentTx/${commitment}`],
    ['GetConnectors', { txid: commitment }, `commitmentTx/${commitment}/connectors`],
    ['GetForfeitTxs', { txid: commitment }, `commitmentTx/${commitment}/forfeitTxs`],
    ['GetVtxoTree', { batchOutpoint }, `batch/${commitment}/0/tree`],
    ['GetVtxoTreeLeaves', { batchOutpoint }, `batch/${commitment}/0/tree/leaves`],
    ['GetBatchSweepTransactions', { batchOutpoint }, `batch/${commitment}/0/sweepTxs`],
  ];
  for (const [method, request, path] of pairs) {
    assert.deepEqual(undated(await indexer.call(method, request)), undated(await rest(`/v1/indexer/${path}`)), method);
  }
});

test('batch events: the id first, topics that can be changed, heartbeats, and nothing left after a cancel', async () => {
  const ark = service('ArkService');
  const stream = ark.stream('GetEventStream', { topics: ['a', 'b'] });
  const { streamStarted } = (await stream.next())!;
  const change = (body: object) => ark.call('UpdateStreamTopics', { streamId: streamStarted.id, ...body });
  assert.deepEqual((await change({ modify: { addTopics: ['c'], removeTopics: ['a'] } })).allTopics, ['b', 'c']);
  assert.deepEqual((await change({ overwrite: { topics: ['d'] } })).allTopics, ['d']);
  await w.advance(25_000);
  assert.deepEqual(((await stream.next()) as Message).heartbeat, {});
  stream.close();
  await until(async () => (await refusal(change({}))).status === grpc.status.INVALID_ARGUMENT);
});

test('a stream that is refused says why and leaves nothing', async () => {
  const topics = Array.from({ length: 1_001 }, (_, i) => `${i}`);
  const { status } = await refusal(service('ArkService').stream('GetEventStream', { topics }).next());
  assert.equal(status, grpc.status.INVALID_ARGUMENT);
  const gone = await refusal(service('IndexerService').stream('GetSubscription', { subscriptionId: 'gone' }).next());
  assert.deepEqual([gone.status, gone.details?.name], [grpc.status.NOT_FOUND, 'SUBSCRIPTION_NOT_FOUND']);
});

test('a settled VTXO is told to its script and to whoever hears every transaction', async () => {
  const [ark, indexer] = [service('ArkService'), service('IndexerService')];
  const script = Buffer.from(alice.account.vtxo.script).toString('hex');
  const { subscriptionId } = await indexer.call('SubscribeForScripts', { scripts: [script, SCRIPT] });
  const mine = indexer.stream('GetSubscription', { subscriptionId });
  const all = ark.stream('GetTransactionsStream');
  assert.deepEqual((await mine.next())!.subscriptionStarted, { subscriptionId });
  await until(async () => (await openStreams('transactions')) === 1);
  await w.note(alice, 5_000);
  await w.settle(alice);
  const event = (await skipHeartbeats(mine)).event;
  assert.deepEqual(event.scripts, [script]);
  assert.deepEqual([event.newVtxos.length, event.spentVtxos.length], [1, 1]);
  const { commitmentTx } = await skipHeartbeats(all);
  assert.equal(commitmentTx.txid, event.txid);
  assert.equal(commitmentTx.spendableVtxos[0].amount, '105000');
  for (const stream of [mine, all]) stream.close();
});

test('filters: a subscription hears of transactions by what they carry', async () => {
  const indexer = service('IndexerService');
  const named = async (filter: object) => {
    const stream = indexer.stream('GetSubscription', { filter });
    const { subscriptionId } = (await stream.next())!.subscriptionStarted;
    return {
      stream,
      subscriptionId,
      update: (more: object) => indexer.call('UpdateSubscription', { subscriptionId, filter: more }),
    };
  };
  const [every, assets, none] = [
    await named({ expressions: ['true'] }),
    await named({ expressions: ['hasPacket(tx.extension, 0)'] }),
    await named({ expressions: ['has(tx.extension) && hasPacket(tx.extension, 7)'], scripts: { add: [SCRIPT] } }),
  ];
  await issue(w, alice, 5n);
  const [told, alike] = [(await skipHeartbeats(every.stream)).event, (await skipHeartbeats(assets.stream)).event];
  assert.deepEqual([told.txid, told.scripts, told.newVtxos], [alike.txid, [], []]);

  for (const [expressions, name] of [
    [['nonsense('], 'INVALID_TX_FILTER'],
    [Array.from({ length: 65 }, (_, i) => `${i} == 1`), 'TX_FILTERS_LIMIT_EXCEEDED'],
  ] as const) {
    const refused = await refusal(every.update({ expressions, scripts: { add: [SCRIPT] } }));
    assert.deepEqual([refused.status, refused.details?.name], [grpc.status.INVALID_ARGUMENT, name]);
  }
  assert.equal(
    (await refusal(every.update({ expressions: [], scripts: { add: ['x'] } }))).status,
    grpc.status.INVALID_ARGUMENT,
  );
  const gone = await refusal(indexer.call('UpdateSubscription', { subscriptionId: 'gone', filter: {} }));
  assert.equal(gone.details?.name, 'SUBSCRIPTION_NOT_FOUND');
  assert.equal((await refusal(indexer.call('UpdateSubscription', { subscriptionId: 'gone' }))).details, undefined);

  // Every refusal left all as it was; an empty list clears.
  const own = alice.account.vtxo.script;
  await none.update({ expressions: [], scripts: { add: [Buffer.from(own).toString('hex')], remove: [SCRIPT] } });
  await every.update({ expressions: [] });
  await w.note(alice, 3_000);
  await w.settle(alice);
  assert.equal((await skipHeartbeats(none.stream)).event.newVtxos.length, 1);
  await none.update({ scripts: {} });
  await assets.update({ expressions: ['true'] });
  await w.note(alice, 3_000);
  await w.settle(alice);
  const last = (await skipHeartbeats(assets.stream)).event;
  const listening = await Promise.all(
    [every, none].map(({ stream }) => Promise.race([skipHeartbeats(stream), pause(50)])),
  );
  assert.deepEqual([last.scripts, listening], [[], [undefined, undefined]]);
  for (const { stream } of [every, assets, none]) stream.close();

  // Over REST the filter comes with the query, and a subscription that has one outlives its scripts.
  const events = await fetch(
    `${url}/v1/indexer/subscription?filter.expressions=${encodeURIComponent('size(tx.extension) > 1 || true')}`,
  );
  const reader = events.body!.getReader();
  const { subscriptionStarted } = JSON.parse(
    Buffer.from((await reader.read()).value!)
      .toString()
      .slice('data: '.length),
  );
  const post = (path: string, body: object) =>
    rest(`/v1/indexer/${path}`, { method: 'POST', body: JSON.stringify(body) });
  assert.deepEqual(await post('script/unsubscribe', subscriptionStarted), {});
  assert.deepEqual(await post('subscription/update', { ...subscriptionStarted, filter: {} }), {});
  assert.deepEqual(await post('script/unsubscribe', subscriptionStarted), {});
  assert.equal(
    (await post('subscription/update', { ...subscriptionStarted, filter: {} })).details[0].name,
    'SUBSCRIPTION_NOT_FOUND',
  );
  await reader.cancel();
});

test('an intent is read by whoever owns an input of it, or knows its txid', async () => {
  const ark = service('ArkService');
  const { client, account } = alice;
  await w.note(alice, 4_000);
  const order = await w.everything(alice);
  await registerIntent(client, account, order, createCosignerKey(client.secp, client.random));
  const proof = (coins = order.coins.slice(-1)) =>
    signedIntent(client, account, { type: 'get-intent', expireAt: 0 }, coins);
  const { intent, intents } = await ark.call('GetIntent', { intent: proof() });
  assert.deepEqual([intent, intents.length], [null, 1]);
  const { txid } = (await w.db.read<{ txid: string }>('select txid from ark_intent'))[0]!;
  assert.deepEqual(await ark.call('GetIntent', { txid }), { intent: intents[0], intents });
  const post = (body: object) => rest('/v1/intent', { method: 'POST', body: JSON.stringify(body) });
  assert.deepEqual(await post({ intent: proof() }), { intent: null, intents });
  assert.deepEqual(await rest(`/v1/intent?txid=${txid}`), { intent: intents[0], intents });
  const mallory = await w.user('mallory');
  const foreign = signedIntent(
    mallory.client,
    mallory.account,
    { type: 'get-intent', expireAt: 0 },
    order.coins.slice(-1),
  );
  assert.equal((await refusal(ark.call('GetIntent', { intent: foreign }))).status, grpc.status.INVALID_ARGUMENT);
  const unlike = signedIntent(client, account, { type: 'delete', expireAt: 0 }, order.coins.slice(-1));
  assert.equal((await refusal(ark.call('GetIntent', { intent: unlike }))).details?.name, 'INVALID_INTENT_MESSAGE');
  assert.equal((await refusal(ark.call('GetIntent', { txid: TXID }))).details?.name, 'INTENT_NOT_FOUND');
  assert.equal((await refusal(ark.call('GetIntent'))).details, undefined);
  const remove = { intent: signedIntent(client, account, { type: 'delete', expireAt: 0 }, order.coins.slice(-1)) };
  await ark.call('DeleteIntent', remove);
  assert.deepEqual((await ark.call('GetIntent', { intent: proof() })).intents, []);
});

test('no method of any service is left out', async () => {
  const doors = [
    [url, [ArkService, IndexerService]],
    [adminUrl, [AdminService, WalletService, WalletInitializerService, SignerManagerService]],
  ] as const;
  for (const [at, services] of doors) {
    for (const { name, methods } of services) {
      const client = service(name as ArkServiceName, at);
      for (const method of methods) {
        const headers = at === adminUrl ? { 'x-macaroon': 'nonsense' } : { 'x-digest': 'nonsense' };
        const code = await (method.methodKind === 'unary'
          ? client.call(method.name, {}, headers).then(
              () => 0,
              (error: GrpcRefusal) => error.status,
            )
          : client
              .stream(method.name, {}, headers)
              .next()
              .then(
                () => 0,
                (error: GrpcRefusal) => error.status,
              ));
        assert.notEqual(code, grpc.status.UNIMPLEMENTED, method.name);
      }
    }
  }
});

test('the operator is let in with the token alone', async () => {
  const admin = service('AdminService', adminUrl);
  const wallet = service('WalletService', adminUrl);
  for (const metadata of [{}, { authorization: 'Bearer nonsense' }, { macaroon: '' }]) {
    assert.equal((await refusal(admin.call('GetSettings', {}, metadata))).status, grpc.status.UNAUTHENTICATED);
  }
  for (const metadata of [{ authorization: `Bearer ${ADMIN_TOKEN}` }, { macaroon: ADMIN_TOKEN }]) {
    assert.equal((await wallet.call('DeriveAddress', {}, metadata)).address, w.server.walletAddress);
  }
  const { notes } = await admin.call('CreateNote', { amount: 1_000, quantity: 2 }, { macaroon: ADMIN_TOKEN });
  assert.equal(notes.length, 2);
  const onPublic = await refusal(service('AdminService').call('GetSettings', {}, { macaroon: ADMIN_TOKEN }));
  assert.equal(onPublic.status, grpc.status.UNIMPLEMENTED);
});

test('health is told by service', async () => {
  const health = kept(healthClient(url));
  assert.equal((await health.call('Check')).status, 'SERVING');
  assert.equal((await health.call('Check', { service: 'ark.v1.ArkService' })).status, 'SERVING');
  assert.equal((await refusal(health.call('Check', { service: 'nothing' }))).status, grpc.status.NOT_FOUND);
  assert.ok('ark.v1.IndexerService' in (await health.call('List')).statuses);
  const watch = health.stream('Watch', { service: 'nothing' });
  assert.equal((await watch.next())!.status, 'SERVICE_UNKNOWN');
  watch.close();
});

async function reflected(at: string, ...questions: object[]): Promise<Message[]> {
  const client = kept(
    new ReflectionClient(new URL(at).host, grpc.credentials.createInsecure()) as grpc.Client,
  ) as Message;
  const stream = client.ServerReflectionInfo() as grpc.ClientDuplexStream<object, Message>;
  for (const question of questions) stream.write(question);
  stream.end();
  const answers: Message[] = [];
  for await (const answer of stream) answers.push(answer);
  return answers;
}

test('reflection is off unless it was asked for', async () => {
  await assert.rejects(reflected(url, { listServices: '*' }), { code: grpc.status.UNIMPLEMENTED });
});

test('reflection, where it is on, knows services, files, symbols and extensions', async () => {
  const parts = {
    chain: w.chain,
    nowSeconds: () => unixSeconds(0),
    clock: w.clock,
    newId: () => 'id',
    log: silentLog,
    metrics: createArkMetrics(createMetrics()),
  };
  const streams = createStreams({ heartbeat: {}, intervalMs: () => 1_000, clock: w.clock });
  const door = createDoor(parts, { streams, health: { troubles: async () => [] }, reflection: true });
  door.serve(IndexerService, {});
  const at = await serve(door.app, door.grpc());
  const [list, symbol, method, file, extension, numbers, nothing, empty] = await reflected(
    at,
    { listServices: '*' },
    { fileContainingSymbol: 'ark.v1.IndexerService' },
    { fileContainingSymbol: 'ark.v1.IndexerService.GetVtxos' },
    { fileByFilename: 'google/api/http.proto' },
    { fileContainingExtension: { containingType: 'google.protobuf.MethodOptions', extensionNumber: 72295728 } },
    { allExtensionNumbersOfType: 'google.protobuf.MethodOptions' },
    { fileContainingSymbol: 'ark.v1.Nothing' },
    {},
  );
  const names = list!.listServicesResponse.service.map(({ name }: Message) => name);
  assert.deepEqual(names, ['ark.v1.IndexerService', 'grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection']);
  const filesOf = (answer: Message): string[] =>
    answer.fileDescriptorResponse.fileDescriptorProto.map(
      (bytes: Buffer) => fromBinary(FileDescriptorProtoSchema, bytes).name,
    );
  assert.equal(filesOf(symbol!)[0], 'ark/v1/indexer.proto');
  assert.ok(filesOf(symbol!).includes('google/protobuf/descriptor.proto'));
  assert.equal(filesOf(method!)[0], 'ark/v1/indexer.proto');
  assert.equal(filesOf(file!)[0], 'google/api/http.proto');
  assert.equal(filesOf(extension!)[0], 'google/api/annotations.proto');
  assert.deepEqual(numbers!.allExtensionNumbersResponse.extensionNumber, [72295728]);
  assert.equal(nothing!.errorResponse.errorCode, grpc.status.NOT_FOUND);
  assert.equal(empty!.errorResponse.errorCode, grpc.status.UNIMPLEMENTED);
});

/** A request of HTTP/2 by hand: headers and body of the answer. */
async function byHand(
  headers: Record<string, string>,
  body: Buffer | string = '',
): Promise<{ headers: Message; trailers: Message; body: Buffer }> {
  const session = connect(url);
  try {
    const stream = session.request({ ':method': 'POST', ...headers });
    stream.end(body);
    const answered = once(stream, 'response');
    let trailers: Message = {};
    stream.on('trailers', (all) => (trailers = all));
    const [answer] = await answered;
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return { headers: answer, trailers, body: Buffer.concat(chunks) };
  } finally {
    session.destroy();
  }
}

/** A message in its frame: a byte for compression, four for the length. */
const framed = (message: Buffer, flag = 0, length = message.length): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
};

const GRPC = { 'content-type': 'application/grpc', te: 'trailers' };

test('unknown services and methods, odd content types and paths are refused', async () => {
  for (const path of [
    '/ark.v1.ArkService/Nothing',
    '/nothing.v1.Service/GetInfo',
    '/',
    '/%00%ff',
    '//x',
    '/ark.v1.ArkService/GetInfo/',
  ]) {
    const { headers } = await byHand({ ...GRPC, ':path': path });
    assert.equal(headers['grpc-status'], `${grpc.status.UNIMPLEMENTED}`, path);
  }
  const { headers } = await byHand({
    ':path': '/ark.v1.ArkService/GetInfo',
    'content-type': 'application/grpc+nonsense',
  });
  assert.equal(headers[':status'], 415);
});

test('a request that does not say whom it is for ends, and nothing else does', async () => {
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const settings = Buffer.from('000000040000000000', 'hex');
  // POST and http from HPACK's static table, then the path and the content type in full; no authority.
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  const path = text('/ark.v1.ArkService/GetInfo');
  const block = Buffer.concat([
    Buffer.from([0x83, 0x86, 0x04]),
    path,
    Buffer.from([0x0f, 0x10]),
    text('application/grpc'),
  ]);
  const head = Buffer.from([0, 0, block.length, 0x01, 0x05, 0, 0, 0, 1]);
  const socket = connectSocket(Number(new URL(url).port), '127.0.0.1');
  socket.end(Buffer.concat([preface, settings, head, block])).resume();
  await once(socket, 'close');
  assert.equal((await service('ArkService').call('GetInfo')).network, 'regtest');
});

test('malformed, truncated, oversized and deceitful messages are refused, and the server lives on', async () => {
  const statusOf = async (body: Buffer, more: Record<string, string> = {}): Promise<number> => {
    const { headers, trailers } = await byHand({ ...GRPC, ':path': '/ark.v1.ArkService/SubmitTx', ...more }, body);
    return Number(trailers['grpc-status'] ?? headers['grpc-status']);
  };
  const { INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL } = grpc.status;
  const refusals = [INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL];
  const bomb = gzipSync(Buffer.alloc(64 << 20));
  const bodies: [Buffer, Record<string, string>?][] = [
    [Buffer.from('nonsense')],
    [framed(Buffer.from('ffffffff', 'hex'))],
    [framed(Buffer.from('0a05616263', 'hex'))],
    [framed(Buffer.alloc(0)).subarray(0, 3)],
    [Buffer.concat([framed(Buffer.alloc(0)), framed(Buffer.alloc(0))])],
    [framed(Buffer.from('x'), 0, 0xffffffff)],
    [framed(Buffer.alloc((4 << 20) + 1))],
    [framed(Buffer.from('x'), 1)],
    [framed(bomb, 1), { 'grpc-encoding': 'gzip' }],
    [framed(Buffer.from('not gzip'), 1), { 'grpc-encoding': 'gzip' }],
    [framed(Buffer.alloc(0)), { 'grpc-encoding': 'nonsense' }],
    [framed(Buffer.alloc(0)), { 'grpc-timeout': 'nonsense' }],
  ];
  for (const [body, headers] of bodies)
    assert.ok(refusals.includes(await statusOf(body, headers)), body.toString('hex', 0, 40));
  assert.equal((await service('ArkService').call('GetInfo')).network, 'regtest');
});

test('gRPC-web works over HTTP/1.1, and a page of another origin may read it', async () => {
  const path = `${url}/ark.v1.ArkService/GetInfo`;
  const preflight = await fetch(path, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://page',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,x-grpc-web',
    },
  });
  assert.equal(preflight.headers.get('access-control-allow-origin'), '*');
  const headers = { 'content-type': 'application/grpc-web+proto', origin: 'https://page' };
  const answer = await fetch(path, { method: 'POST', headers, body: framed(Buffer.alloc(0)) });
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  assert.match(answer.headers.get('access-control-expose-headers')!, /grpc-status-details-bin/);
  const body = Buffer.from(await answer.arrayBuffer());
  assert.match(body.toString('latin1'), /regtest[\s\S]*grpc-status: 0/);
});

test('thousands of streams opened and reset cost the connection, not the server', async () => {
  const session = connect(url);
  session.on('error', () => {});
  const closed = new Promise((resolve) => session.once('close', resolve));
  for (let i = 0; i < 20_000 && !session.closed && !session.destroyed; i++) {
    const stream = session.request({ ':method': 'POST', ':path': '/ark.v1.ArkService/GetEventStream', ...GRPC });
    stream.on('error', () => {});
    stream.end(framed(Buffer.alloc(0)));
    stream.close(8);
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await closed;
  assert.equal((await service('ArkService').call('GetInfo')).network, 'regtest');
  await until(async () => (await openStreams('batch')) === 0);
});

test('a listener that does not read is disconnected', async () => {
  const session = connect(url, { settings: { initialWindowSize: 1 } });
  session.on('error', () => {});
  const stream = session.request({ ':method': 'POST', ':path': '/ark.v1.ArkService/GetEventStream', ...GRPC });
  stream.on('error', () => {});
  stream.end(framed(Buffer.alloc(0)));
  await until(async () => (await openStreams('batch')) === 1);
  for (let heartbeats = 0; heartbeats < 12_000; heartbeats++) await w.clock.advance(20_000);
  await until(async () => (await openStreams('batch')) === 0);
  session.destroy();
});

test('a stop ends streams in good order', async () => {
  const [ark, health] = [service('ArkService'), kept(healthClient(url))];
  const stream = ark.stream('GetEventStream');
  assert.ok((await stream.next())!.streamStarted);
  const watch = health.stream('Watch');
  assert.equal((await watch.next())!.status, 'SERVING');
  const stopped = Promise.all(servers.map((server) => server.stop()));
  assert.equal(await stream.next(), undefined);
  await watch.next().catch(() => {});
  await stopped;
});
