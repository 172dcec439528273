/**
 * Threat 8: a member of a batch who does not deliver, or delivers rubbish. The batch fails, the others settle in the
 * next one, the offender's coin stays its own but is written down under its script, and banned when that happens often.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../src/ark/client/batch.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import { signLeaves } from '../../src/ark/protocol/leaf-spend.ts';
import { ARK_ROUTES } from '../../src/ark/wire/routes.ts';
import { toHex } from '../../src/base/bytes.ts';
import { type Psbt, parsePsbt, psbtBase64, withInput } from '../../src/bitcoin/psbt.ts';
import type { Tx } from '../../src/bitcoin/tx.ts';
import {
  type Body,
  crimes,
  flipHex,
  type Lies,
  lying,
  mapValues,
  refusal,
  sending,
  silent,
} from '../support/adversary.ts';
import { paid, secp, type User, type World, world } from '../support/world.ts';

const scriptOf = ({ account }: User): string => toHex(account.vtxo.script);

/** Alice and Bob, who are honest, and Mallory, with one VTXO each; Mallory begins to lie after that. */
async function members(seed: string, lies: Lies) {
  const w = await world({ seed });
  const active: Lies = {};
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  const mallory = await w.user('mallory', lying(active));
  for (const user of [alice, bob, mallory]) await w.note(user, 50_000);
  await w.settle(alice, bob, mallory);
  const lie = (): void => void Object.assign(active, lies);
  return { w, alice, bob, mallory, lie };
}

/** All three settle at once. Returns how it went for Mallory: a code, or `left` when she had to be sent away. */
async function settleAll(w: World, honest: readonly User[], mallory: User): Promise<{ fate: string; batches: number }> {
  const leave = new AbortController();
  const order = await w.everything(mallory);
  const lost = refusal(settle(mallory.client, mallory.account, order, leave.signal));
  lost.catch(() => {});
  const outcomes = await w.settle(...honest);
  leave.abort();
  return { fate: await w.run(lost), batches: new Set(outcomes.map(({ commitmentTxid }) => commitmentTxid)).size };
}

const forfeits = (change: (psbt: Psbt) => Psbt): Lies => ({
  submitForfeitTxs: sending((body: Body) => ({
    ...body,
    signedForfeitTxs: body.signedForfeitTxs.map((text: string) => psbtBase64(change(parsePsbt(text)))),
  })),
});

/** Mallory's key, which her name determines. */
const secretOf = async (seed: string): Promise<Uint8Array> =>
  (await (await world({ seed })).user('mallory')).account.secret;

const unsigned = (psbt: Psbt): Psbt => ({ ...psbt, inputs: psbt.inputs.map((map) => ({ ...map, tapScriptSigs: [] })) });

/** Another transaction, properly signed. */
const resigned = (secret: Uint8Array, change: (tx: Tx) => Tx) =>
  forfeits((psbt) => signLeaves(secp, { ...unsigned(psbt), tx: change(psbt.tx) }, secret, new Uint8Array(32)));

const outputs = (tx: Tx, change: Partial<Tx['outputs'][number]>): Tx => ({
  ...tx,
  outputs: [{ ...tx.outputs[0]!, ...change }, ...tx.outputs.slice(1)],
});

const entries = (body: Body): [string, string][] => Object.entries(body.treeNonces ?? body.treeSignatures);
const rotate = (record: Record<string, string>): Record<string, string> => {
  const values = Object.values(record);
  return Object.fromEntries(Object.keys(record).map((key, i) => [key, values[(i + 1) % values.length]!]));
};

interface Grief {
  readonly name: string;
  readonly lies: (secret: Uint8Array) => Lies;
  readonly crime: string;
  /** What Mallory is told, or `STREAM_ENDED` when she waits until sent away. */
  readonly fate: string;
}

const GRIEFS: readonly Grief[] = [
  {
    name: 'vanishes after her ack',
    lies: () => ({ submitTreeNonces: silent, submitTreeSignatures: silent, submitForfeitTxs: silent }),
    crime: 'NONCES',
    fate: 'STREAM_ENDED',
  },
  {
    name: 'sends a nonce too few',
    lies: () => ({
      submitTreeNonces: sending((body) => ({ ...body, treeNonces: Object.fromEntries(entries(body).slice(1)) })),
    }),
    crime: 'NONCES',
    fate: 'INVALID_SIGNATURE',
  },
  {
    name: 'sends nonces that are no points',
    lies: () => ({
      submitTreeNonces: sending((body) => ({ ...body, treeNonces: mapValues(body.treeNonces, () => 'ff'.repeat(66)) })),
    }),
    crime: 'NONCES',
    fate: 'INVALID_SIGNATURE',
  },
  {
    name: 'sends nonces that are no hex',
    lies: () => ({
      submitTreeNonces: sending((body) => ({ ...body, treeNonces: mapValues(body.treeNonces, () => 'zz'.repeat(66)) })),
    }),
    crime: 'NONCES',
    fate: 'INVALID_SIGNATURE',
  },
  {
    name: 'sends no partial signatures',
    lies: () => ({ submitTreeSignatures: silent }),
    crime: 'SIGNATURES',
    fate: 'STREAM_ENDED',
  },
  {
    name: 'sends wrong partial signatures',
    lies: () => ({
      submitTreeSignatures: sending((body) => ({ ...body, treeSignatures: mapValues(body.treeSignatures, flipHex) })),
    }),
    crime: 'SIGNATURES',
    fate: 'INVALID_SIGNATURE',
  },
  {
    name: 'sends partial signatures for the wrong transactions',
    lies: () => ({
      submitTreeSignatures: sending((body) => ({ ...body, treeSignatures: rotate(body.treeSignatures) })),
    }),
    crime: 'SIGNATURES',
    fate: 'INVALID_SIGNATURE',
  },
  { name: 'sends no forfeit', lies: () => ({ submitForfeitTxs: silent }), crime: 'FORFEIT', fate: 'STREAM_ENDED' },
  { name: 'sends an unsigned forfeit', lies: () => forfeits(unsigned), crime: 'FORFEIT', fate: 'INVALID_FORFEIT_TXS' },
  {
    name: 'forfeits to herself',
    lies: (secret) => resigned(secret, (tx) => outputs(tx, { script: tx.outputs[1]!.script })),
    crime: 'FORFEIT',
    fate: 'INVALID_FORFEIT_TXS',
  },
  {
    name: 'forfeits a satoshi less',
    lies: (secret) => resigned(secret, (tx) => outputs(tx, { value: tx.outputs[0]!.value - 1n })),
    crime: 'FORFEIT',
    fate: 'INVALID_FORFEIT_TXS',
  },
  {
    name: 'forfeits under a lock',
    lies: (secret) => resigned(secret, (tx) => ({ ...tx, locktime: 500 })),
    crime: 'FORFEIT',
    fate: 'INVALID_FORFEIT_TXS',
  },
  {
    name: 'signs another forfeit than she sends',
    lies: (secret) =>
      forfeits((psbt) => {
        const other = signLeaves(secp, { ...psbt, tx: { ...psbt.tx, locktime: 7 } }, secret, new Uint8Array(32));
        return withInput(psbt, 0, { tapScriptSigs: other.inputs[0]!.tapScriptSigs });
      }),
    crime: 'FORFEIT',
    fate: 'INVALID_FORFEIT_TXS',
  },
];

for (const { name, lies, crime, fate } of GRIEFS) {
  test(`a member ${name}: dropped and written down, the others settle without her`, async () => {
    const seed = `grief/${name}`;
    const { w, alice, bob, mallory, lie } = await members(seed, lies(await secretOf(seed)));
    const [before] = await spendableCoins(mallory.client, mallory.account);
    lie();
    assert.deepEqual(await settleAll(w, [alice, bob], mallory), { fate, batches: 1 });
    assert.deepEqual(await crimes(w), { [scriptOf(mallory)]: [crime] });
    assert.deepEqual(await spendableCoins(mallory.client, mallory.account), [before]);
    assert.deepEqual(await w.db.read('select * from ark_intent'), []);
  });
}

test('who does not confirm holds nobody up, waits with its like from then on, and is convicted after three batches', async () => {
  const { w, alice, bob, mallory, lie } = await members('grief/ack', { confirmRegistration: silent });
  lie();
  const order = await w.everything(mallory);
  const leave = new AbortController();
  const lost = refusal(settle(mallory.client, mallory.account, order, leave.signal));
  const outcomes = await w.settle(alice, bob);
  assert.equal(outcomes[0]!.commitmentTxid, outcomes[1]!.commitmentTxid);
  assert.equal((await w.db.read('select * from ark_intent')).length, 1);
  assert.deepEqual(await crimes(w), {});
  await w.advance(60_000);
  leave.abort();
  assert.equal(await lost, 'STREAM_ENDED');
  assert.deepEqual(await w.db.read('select * from ark_intent'), []);
  assert.deepEqual(await crimes(w), { [scriptOf(mallory)]: ['CONFIRMATION'] });
});

test('three crimes ban a script from batches and payments until the clock has run', async () => {
  const { w, mallory, lie } = await members('grief/ban', { submitTreeNonces: silent });
  lie();
  const order = await w.everything(mallory);
  for (let crime = 1; crime <= 3; crime++) {
    const leave = new AbortController();
    const lost = refusal(settle(mallory.client, mallory.account, order, leave.signal));
    await w.advance(15_000);
    leave.abort();
    assert.equal(await lost, 'STREAM_ENDED');
    assert.equal((await crimes(w))[scriptOf(mallory)]?.length, crime);
  }
  assert.equal(await w.run(refusal(settle(mallory.client, mallory.account, order))), 'VTXO_BANNED');
  await w.advance(300_000);
  const reformed = await w.user('mallory');
  assert.equal((await w.settle(reformed)).length, 1);
});

test('a forfeit may not name another member’s connector, nor one of an older batch, nor one connector twice', async () => {
  const seed = 'grief/connectors';
  const stolen: Psbt['tx']['inputs'][number][] = [];
  const w = await world({ seed });
  const spy: Lies = {
    submitForfeitTxs(body, send) {
      stolen.push(...body.signedForfeitTxs.map((text: string) => parsePsbt(text).tx.inputs[1]!));
      return new Promise((resolve) => setTimeout(resolve, 0)).then(() => send(body));
    },
  };
  const active: Lies = {};
  const alice = await w.user('alice', lying(spy));
  const mallory = await w.user('mallory', lying(active));
  for (const user of [alice, mallory]) await w.note(user, 50_000);
  await w.settle(alice, mallory);
  await w.settle(alice, mallory);
  const older = stolen[0]!;
  const { secret } = mallory.account;
  const connectedTo = (connector: () => Psbt['tx']['inputs'][number]): Lies =>
    resigned(secret, (tx) => ({ ...tx, inputs: [tx.inputs[0]!, connector()] }));

  active.submitForfeitTxs = connectedTo(() => older).submitForfeitTxs!;
  assert.equal((await settleAll(w, [alice], mallory)).fate, 'INVALID_FORFEIT_TXS');
  await w.advance(300_000);
  stolen.length = 0;
  active.submitForfeitTxs = async (body, send) => {
    while (stolen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    return connectedTo(() => stolen[0]!).submitForfeitTxs!(body, send);
  };
  assert.equal((await settleAll(w, [alice], mallory)).fate, 'INVALID_FORFEIT_TXS');

  delete active.submitForfeitTxs;
  await w.advance(300_000);
  const honest = await w.user('mallory');
  await w.note(honest, 9_000);
  const two = { ...(await w.everything(honest)) };
  const split = [paid(honest.account, [], 9_000n), paid(honest.account, [], 50_000n)];
  await w.run(settle(honest.client, honest.account, { ...two, receivers: split }));
  active.submitForfeitTxs = sending((body) => {
    const [first, second] = body.signedForfeitTxs.map((text: string) => parsePsbt(text)) as [Psbt, Psbt];
    const tx = { ...second.tx, inputs: [second.tx.inputs[0]!, first.tx.inputs[1]!] };
    const again = signLeaves(secp, { ...unsigned(second), tx }, secret, new Uint8Array(32));
    return { ...body, signedForfeitTxs: [psbtBase64(first), psbtBase64(again)] };
  });
  assert.equal((await settleAll(w, [alice], mallory)).fate, 'INVALID_FORFEIT_TXS');
  const left = await spendableCoins(mallory.client, mallory.account);
  assert.deepEqual(left.map(({ amount }) => amount).sort(), [50_000n, 9_000n]);
});

test('strangers can neither confirm for a member nor spoil what it sends', async () => {
  const w = await world({ seed: 'grief/strangers' });
  const attempts: string[] = [];
  const rubbish = (body: Body) => ({ ...body, treeSignatures: mapValues(body.treeSignatures, flipHex) });
  const alice = await w.user(
    'alice',
    lying({
      async confirmRegistration(body, send) {
        attempts.push(await refusal(send({ intentId: '00000000-0000-4000-8000-000000000000' })));
        return send(body);
      },
      async submitTreeNonces(body, send) {
        // Whoever only hears the broadcast knows the batch and the keys, but not the transactions of the branch.
        attempts.push(await refusal(send({ ...body, treeNonces: { ['00'.repeat(32)]: '02'.repeat(66) } })));
        attempts.push(await refusal(send({ ...body, pubkey: `02${'11'.repeat(32)}` })));
        return send(body);
      },
      async submitTreeSignatures(body, send) {
        attempts.push(await refusal(send(rubbish(body))));
        return send(body);
      },
    }),
  );
  await w.note(alice, 50_000);
  await w.settle(alice);
  assert.deepEqual(attempts, ['INTENT_NOT_FOUND', 'INVALID_SIGNATURE', 'INVALID_SIGNATURE', 'INVALID_SIGNATURE']);
  assert.deepEqual(await crimes(w), {});
});

test('what comes late, early or for another batch is refused; the same again changes nothing', async () => {
  const w = await world({ seed: 'grief/late' });
  const codes: string[] = [];
  let nonces: Body;
  let partials: Body;
  const alice = await w.user(
    'alice',
    lying({
      async submitTreeNonces(body, send) {
        nonces = body;
        codes.push(await refusal(send({ ...body, batchId: 'another' })));
        codes.push(await refusal(w.transport.call({ route: ARK_ROUTES.submitForfeitTxs, body: {} })));
        return send(body);
      },
      async submitTreeSignatures(body, send) {
        partials = body;
        await w.transport.call({ route: ARK_ROUTES.submitTreeNonces, body: nonces });
        return send(body);
      },
      async submitForfeitTxs(body, send) {
        codes.push(await refusal(w.transport.call({ route: ARK_ROUTES.submitTreeNonces, body: nonces })));
        codes.push(await refusal(w.transport.call({ route: ARK_ROUTES.submitTreeSignatures, body: partials })));
        return send(body);
      },
    }),
  );
  await w.board(alice, 50_000);
  await w.settle(alice);
  assert.deepEqual(codes, Array(4).fill('SIGNING_SESSION_TIMED_OUT'));
  assert.deepEqual(await crimes(w), {});
});
