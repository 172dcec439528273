/**
 * Threat 8, in another's name: the calls of a batch say which key they are for and prove nothing. Whoever posts nonces
 * under a victim's key, first or last, member or stranger, neither spoils the batch nor gets the victim blamed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../src/ark/client/batch.ts';
import { ARK_ROUTES } from '../../src/ark/wire/routes.ts';
import { toHex } from '../../src/base/bytes.ts';
import { type Body, crimes, type Lies, lying, mapValues, refusal, silent } from '../support/adversary.ts';
import { secp, type World, world } from '../support/world.ts';

const impostor = secp.musigNonce(
  new Uint8Array(32).fill(1),
  secp.publicKey(new Uint8Array(32).fill(2)),
  new Uint8Array(32).fill(2),
);
const bogus = (body: Body): Body => ({
  ...body,
  treeNonces: mapValues(body.treeNonces, () => toHex(impostor.public)),
});
const post = (w: World, body: Body) => w.transport.call({ route: ARK_ROUTES.submitTreeNonces, body });

/** Listens to `topics`; tells under which id it has heard of the batch under way. */
async function eavesdrop(w: World, topics: string[]): Promise<{ name(): string; close(): void }> {
  const stream = await w.transport.open({ route: ARK_ROUTES.batchEvents, query: { topics } });
  let name = '';
  (async () => {
    for await (const message of stream) {
      for (const { id } of Object.values(message) as Body[]) if (!('streamStarted' in message)) name = id ?? name;
    }
  })().catch(() => {});
  return { name: () => name, close: stream.close };
}

async function scene(seed: string, lies: Lies) {
  const w = await world({ seed });
  const [alice, bob] = [await w.user('alice', lying(lies)), await w.user('bob')];
  for (const user of [alice, bob]) await w.note(user, 50_000);
  return { w, alice, bob };
}

test('nonces posted under a member’s key before or after its own, once or often, change nothing', async () => {
  let stranger: Awaited<ReturnType<typeof eavesdrop>>;
  const codes: string[] = [];
  const { w, alice, bob } = await scene('posing/first', {
    async submitTreeNonces(body, send) {
      const forged = { ...bogus(body), batchId: stranger.name() };
      await post(w, forged);
      await post(w, { ...body, batchId: stranger.name() });
      const sent = await send(body);
      codes.push(await refusal(post(w, forged)));
      return sent;
    },
    async submitTreeSignatures(body, send) {
      const { batchId: _, treeSignatures, ...about } = body;
      const forged = bogus({ ...about, treeNonces: treeSignatures });
      codes.push(await refusal(post(w, { ...forged, batchId: stranger.name() })));
      return send(body);
    },
  });
  stranger = await eavesdrop(w, []);
  const outcomes = await w.settle(alice, bob);
  assert.equal(outcomes[0]!.commitmentTxid, outcomes[1]!.commitmentTxid);
  assert.deepEqual(codes, ['INVALID_SIGNATURE', 'INVALID_SIGNATURE']);
  assert.deepEqual(await crimes(w), {});
});

test('who begins to listen to a key once it was published does not pass for its owner in the next batch', async () => {
  const late: Awaited<ReturnType<typeof eavesdrop>>[] = [];
  const { w, alice, bob } = await scene('posing/late', {
    async submitTreeNonces(body, send) {
      if (late.length > 0) await post(w, { ...bogus(body), batchId: late[0]!.name() });
      late.push(await eavesdrop(w, [body.pubkey]));
      return send(body);
    },
  });
  const mallory = await w.user('mallory', lying({ submitTreeNonces: silent }));
  await w.note(mallory, 50_000);
  const leave = new AbortController();
  const lost = refusal(settle(mallory.client, mallory.account, await w.everything(mallory), leave.signal));
  await w.settle(alice, bob);
  leave.abort();
  assert.equal(await lost, 'STREAM_ENDED');
  assert.equal(late.length, 2);
  assert.deepEqual(Object.values(await crimes(w)), [['NONCES']]);
});

test('the id that a batch was told under to nobody is no id', async () => {
  const codes: string[] = [];
  const { w, alice } = await scene('posing/unknown', {
    async submitTreeNonces(body, send) {
      codes.push(await refusal(send({ ...body, batchId: '00000000-0000-4000-8000-000000000000' })));
      return send(body);
    },
  });
  await w.settle(alice);
  assert.deepEqual(codes, ['SIGNING_SESSION_TIMED_OUT']);
});

test('an owner that sends its nonces by way of another stream is heard when the phase ends', async () => {
  let other: Awaited<ReturnType<typeof eavesdrop>>;
  const { w, alice, bob } = await scene('posing/detour', {
    submitTreeNonces: (body, send) => send({ ...body, batchId: other.name() }),
  });
  other = await eavesdrop(w, []);
  assert.equal((await w.settle(alice, bob)).length, 2);
  assert.deepEqual(await crimes(w), {});
});

test('where the owner stays silent and two strangers speak for it, the batch fails and nobody is blamed', async () => {
  let other: Awaited<ReturnType<typeof eavesdrop>>;
  const active: Lies = {
    async submitTreeNonces(body) {
      const forged = { ...bogus(body), batchId: other.name() };
      await post(w, forged);
      await post(w, { ...body, batchId: other.name() });
      return {};
    },
  };
  const { w, alice } = await scene('posing/two', active);
  other = await eavesdrop(w, []);
  const order = await w.everything(alice);
  const leave = new AbortController();
  const lost = refusal(settle(alice.client, alice.account, order, leave.signal));
  await w.advance(14_000);
  leave.abort();
  assert.match(await lost, /^(STREAM_ENDED|NONCES_INVALID)$/);
  assert.deepEqual(await crimes(w), {});
  delete active.submitTreeNonces;
  assert.equal((await w.settle(alice))[0]!.vtxos.length, 1);
});

test('a key that two listeners knew from the start is nobody’s for certain: the batch fails, nobody is blamed', async () => {
  const active: Lies = {
    async registerIntent(body, send) {
      const { cosigners_public_keys: keys } = JSON.parse(body.intent.message);
      twin = await eavesdrop(w, keys);
      return send(body);
    },
    async submitTreeNonces(body, send) {
      await post(w, { ...bogus(body), batchId: twin.name() });
      return send(body);
    },
  };
  const { w, alice } = await scene('posing/twins', active);
  let twin = await eavesdrop(w, []);
  const order = await w.everything(alice);
  assert.equal(await w.run(refusal(settle(alice.client, alice.account, order))), 'INVALID_SIGNATURE');
  await w.advance(15_000);
  assert.deepEqual(await crimes(w), {});
});
