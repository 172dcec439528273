/** Threat 13: delegated renewals. An owner sleeps, the delegate renews, and neither it nor the server can do anything else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { registerIntent, settle } from '../../src/ark/client/batch.ts';
import { createBatchSession } from '../../src/ark/client/batch-session.ts';
import type { Transport } from '../../src/ark/client/transport.ts';
import { parseArkAddress } from '../../src/ark/protocol/address.ts';
import type { DelegationRequest } from '../../src/ark/protocol/delegation.ts';
import { asFields, type Fields } from '../../src/ark/wire/request.ts';
import { ARK_ROUTES } from '../../src/ark/wire/routes.ts';
import { outpointKey, toHex } from '../../src/base/bytes.ts';
import { sats } from '../../src/base/units.ts';
import { type Psbt, parsePsbt, psbtBase64 } from '../../src/bitcoin/psbt.ts';
import { p2tr } from '../../src/bitcoin/script.ts';
import { SIGHASH } from '../../src/bitcoin/sighash.ts';
import { crimes, lying, memory, refusal, sending } from '../support/adversary.ts';
import {
  DELEGATE,
  delegatedCoin,
  delegatedScript,
  delegationOf,
  delegations,
  delegatorOf,
  fundDelegated,
  homeOf,
  renewable,
  states,
} from '../support/delegation.ts';
import { unroll } from '../support/unroll.ts';
import { ADMIN_TOKEN, paid, type User, type World, world } from '../support/world.ts';

const MINUTE = 60_000;
const now = ({ clock }: World): number => Math.floor(clock.now() / 1000);

const scene = async (seed: string): Promise<[World, User]> => {
  const w = await world({ seed });
  return [w, await w.user('alice')];
};

const spenderOf = async ({ chain }: World, outpoint: string) => {
  const [txid, vout] = outpoint.split(':');
  return (await chain.output({ txid: txid as never, vout: Number(vout) }))?.spentBy;
};

test('what is due is renewed, for many owners at once, and not before', async () => {
  const [w, alice] = await scene('delegation/renew');
  const users = [alice, await w.user('bob'), await w.user('carol')];
  const delegator = await delegatorOf(w);
  const coins = [];
  for (const [i, user] of users.entries()) coins.push(await fundDelegated(w, user, 20_000 + i));
  const validAt = now(w) + 600;
  for (const [i, user] of users.entries()) {
    await w.run(delegator.delegate(delegationOf(user, { coins: [coins[i]!], validAt }), false));
  }
  await w.advance(9 * MINUTE);
  assert.deepEqual(await states(w), ['waiting', 'waiting', 'waiting']);
  await w.advance(2 * MINUTE);
  const ended = await delegations(w);
  assert.deepEqual(
    ended.map(({ state }) => state),
    ['done', 'done', 'done'],
  );
  assert.equal(new Set(ended.map(({ outcome }) => outcome)).size, 1, 'one batch for all of them');
  for (const [i, user] of users.entries()) {
    const [vtxo, ...others] = await renewable(w, user);
    assert.equal(others.length, 0);
    assert.equal(vtxo!.amount, BigInt(20_000 + i));
    assert.notEqual(vtxo!.outpoint, outpointKey(coins[i]!.outpoint));
  }
  assert.deepEqual(await crimes(w), {});
  await w.audit.check();
  await delegator.stop();
});

test('a forfeit that was signed ahead is enforced like any other', async () => {
  const [w, alice] = await scene('delegation/justice');
  const note = await w.note(alice, 50_000);
  const receivers = [{ value: 50_000n, script: delegatedScript(alice).script }];
  const old = await w.run(settle(alice.client, alice.account, { coins: [note], receivers, onchain: [] }));
  await w.mine(1);
  const coin = delegatedCoin(alice, { outpoint: old.vtxos[0]!.outpoint, amount: 50_000n });
  const delegator = await delegatorOf(w);
  await w.run(delegator.delegate(delegationOf(alice, { coins: [coin] }), false));
  await w.advance(MINUTE);
  assert.deepEqual(await states(w), ['done']);
  await w.mine(1);
  await unroll(w, old.branch);
  const key = outpointKey(coin.outpoint);
  for (let block = 0; block < 10 && !(await spenderOf(w, key))?.confirmation; block++) await w.mine(1);
  const [row] = await w.db.read('select txid from ark_forfeit where outpoint = $1', [key]);
  assert.equal((await spenderOf(w, key))?.txid, row!.txid);
  assert.ok((await spenderOf(w, key))?.confirmation, 'the forfeit is in a block');
  await delegator.stop();
});

test('an intent proven by the leaf of three keys gets the delegate’s signature', async () => {
  const [w, alice] = await scene('delegation/three-keys');
  const delegator = await delegatorOf(w);
  const coin = await fundDelegated(w, alice, 20_000, 'delegate');
  await w.run(delegator.delegate(delegationOf(alice, { coins: [coin] }), false));
  await w.advance(MINUTE);
  assert.deepEqual(await states(w), ['done']);
  await delegator.stop();
});

test('a VTXO that was swept meanwhile is recovered without its forfeit', async () => {
  const [w, alice] = await scene('delegation/swept');
  const delegator = await delegatorOf(w);
  const coin = await fundDelegated(w, alice, 20_000);
  await w.run(delegator.delegate(delegationOf(alice, { coins: [coin], validAt: now(w) + 3_600 }), false));
  await w.mine(150);
  w.audit = { ...w.audit, check: async () => {} };
  await w.advance(61 * MINUTE);
  assert.deepEqual(await states(w), ['done']);
  assert.deepEqual(await w.db.read('select outpoint from ark_forfeit'), []);
  await delegator.stop();
});

test('the delegator dies at every write and the next one finishes, once', async () => {
  for (const when of ['before', 'after'] as const) {
    for (let write = 1; ; write++) {
      const [w, alice] = await scene(`delegation/crash/${when}/${write}`);
      const coin = await fundDelegated(w, alice, 20_000);
      const first = await delegatorOf(w, { crash: { write, when } });
      const request = delegationOf(alice, { coins: [coin], validAt: now(w) + 5 });
      const answered = { id: '' };
      void first.delegate(request, false).then((id) => (answered.id = id));
      await w.rest();
      await w.advance(MINUTE);
      if (!first.isDead) {
        assert.deepEqual(await states(w), ['done']);
        assert.ok(write > 2, 'there was something to die at');
        await first.stop();
        break;
      }
      const isKept = (await states(w)).length > 0;
      assert.ok(isKept || answered.id === '', 'what an owner was told is durable');
      const next = await delegatorOf(w);
      if (!isKept) await w.run(next.delegate(request, false));
      await w.advance(10 * MINUTE);
      assert.deepEqual(await states(w), ['done']);
      assert.deepEqual(
        (await renewable(w, alice)).map(({ amount }) => amount),
        [20_000n],
      );
      await w.audit.check();
      await next.stop();
    }
  }
});

test('the server dies in the middle of the batch, and the delegator tries again', async () => {
  for (const write of [1, 2, 3, 4, 5]) {
    const [w, alice] = await scene(`delegation/server-crash/${write}`);
    const coin = await fundDelegated(w, alice, 20_000);
    const delegator = await delegatorOf(w);
    await w.run(delegator.delegate(delegationOf(alice, { coins: [coin], validAt: now(w) + 60 }), false));
    w.crashAt({ write, when: 'after' });
    await w.advance(2 * MINUTE);
    if (w.isDead) await w.restart();
    await w.advance(20 * MINUTE);
    assert.deepEqual(await states(w), ['done'], `write ${write}`);
    assert.deepEqual(
      (await renewable(w, alice)).map(({ amount }) => amount),
      [20_000n],
    );
    await delegator.stop();
  }
});

test('a new delegation takes the place of an old one, unless it must not', async () => {
  const [w, alice] = await scene('delegation/replace');
  const delegator = await delegatorOf(w);
  const coin = await fundDelegated(w, alice, 20_000);
  const validAt = now(w) + 3_600;
  const first = delegationOf(alice, { coins: [coin], validAt });
  const second = delegationOf(alice, { coins: [coin], validAt: validAt + 1 });
  await w.run(delegator.delegate(first, true));
  assert.equal(await refusal(w.run(delegator.delegate(second, true))), 'DELEGATION_EXISTS');
  assert.deepEqual(await states(w), ['waiting']);
  await w.run(delegator.delegate(second, false));
  assert.deepEqual(await states(w), ['waiting']);
  const [row] = await w.db.read('select valid_at from ark_delegation');
  assert.equal(row!.valid_at, BigInt(validAt + 1));
  await w.advance(61 * MINUTE);
  assert.deepEqual(await states(w), ['done']);
  await delegator.stop();
});

test('when the owner has spent the VTXO or put it on chain, the delegator says so and gives up', async () => {
  const [w, alice] = await scene('delegation/spent');
  const delegator = await delegatorOf(w);
  const [spent, exited] = [await fundDelegated(w, alice, 20_000), await w.note(alice, 30_000)];
  alice.pocket.length = 0;
  const receivers = [{ value: 30_000n, script: delegatedScript(alice).script }];
  const { vtxos, branch } = await w.run(
    settle(alice.client, alice.account, { coins: [exited], receivers, onchain: [] }),
  );
  await w.mine(1);
  const onChain = delegatedCoin(alice, { outpoint: vtxos[0]!.outpoint, amount: 30_000n });
  const validAt = now(w) + 600;
  for (const coin of [spent, onChain]) {
    await w.run(delegator.delegate(delegationOf(alice, { coins: [coin], validAt }), false));
  }
  await w.run(
    settle(alice.client, alice.account, { coins: [spent], receivers: [paid(alice.account, [spent])], onchain: [] }),
  );
  await unroll(w, branch);
  w.audit = { ...w.audit, check: async () => {} };
  await w.advance(12 * MINUTE);
  const outcomes = (await delegations(w)).map(({ state, outcome }) => `${state} ${outcome}`);
  assert.ok(outcomes.some((line) => line.startsWith('failed') && line.includes(outpointKey(onChain.outpoint))));
  assert.ok(
    outcomes.some((line) => line.startsWith('done')),
    'its owner has renewed it in a batch',
  );
  await delegator.stop();
});

test('the delegator asks for its fee and is paid it in the batch', async () => {
  const [w, alice] = await scene('delegation/fee');
  const delegator = await delegatorOf(w, { fee: sats(500) });
  const coin = await fundDelegated(w, alice, 20_000);
  const { publicKey, fee } = await delegator.info();
  assert.equal(publicKey, DELEGATE);
  assert.equal(fee, 500n);
  assert.equal(
    await refusal(w.run(delegator.delegate(delegationOf(alice, { coins: [coin] }), false))),
    'INTENT_INSUFFICIENT_FEE',
  );
  const home = homeOf(alice, [coin]);
  const feeOutput = { value: 500n, script: p2tr(parseArkAddress((await delegator.info()).address).outputKey) };
  const outputs = [feeOutput, { ...home, value: home.value - 500n }];
  await w.run(delegator.delegate(delegationOf(alice, { coins: [coin], outputs }), false));
  await w.advance(MINUTE);
  assert.deepEqual(await states(w), ['done']);
  const takings = async () => {
    const rows = await w.db.read('select amount, settled_by from ark_vtxo where script = $1', [
      toHex(feeOutput.script),
    ]);
    return rows.map(({ amount, settled_by }) => [amount, settled_by !== null]);
  };
  assert.deepEqual(await takings(), [[500n, false]], 'it is not worth a batch yet');
  await w.mine(1);
  await w.advance(2 * MINUTE);
  assert.deepEqual(await takings(), [[500n, true]], 'before it could expire it has gone to the operator');
  assert.deepEqual(await crimes(w), {});
  await delegator.stop();
});

test('a delegation outlives a rotation of the signer key, and its cutoff, too', async () => {
  const [w, alice] = await scene('delegation/rotation');
  const delegator = await delegatorOf(w);
  const [soon, late] = [await fundDelegated(w, alice, 20_000), await fundDelegated(w, alice, 30_000)];
  await w.run(delegator.delegate(delegationOf(alice, { coins: [soon], validAt: now(w) + 600 }), false));
  await w.run(delegator.delegate(delegationOf(alice, { coins: [late], validAt: now(w) + 7_200 }), false));
  const rotated = await w.server.adminApp.request('/v1/admin/signer/rotate', {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    body: JSON.stringify({ cutoffDate: now(w) + 3_600 }),
  });
  assert.equal(rotated.status, 200);
  await w.advance(12 * MINUTE);
  assert.deepEqual(await states(w), ['done', 'waiting']);
  await w.advance(120 * MINUTE);
  assert.deepEqual(await states(w), ['done', 'waiting'], 'the old key signs no more');
  await w.mine(150);
  w.audit = { ...w.audit, check: async () => {} };
  await w.advance(20 * MINUTE);
  assert.deepEqual(await states(w), ['done', 'done'], 'once swept, it takes no key');
  assert.deepEqual(await crimes(w), {});
  await delegator.stop();
});

test('a delegation that is not what it should be is refused, and leaves no trace', async () => {
  const [w, alice] = await scene('delegation/forged');
  const mallory = await w.user('mallory');
  const delegator = await delegatorOf(w);
  const [coin, other] = [await fundDelegated(w, alice, 20_000), await fundDelegated(w, alice, 30_000)];
  const stranger = `02${'79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'}`;
  const good = delegationOf(alice, { coins: [coin] });
  const attempt = (request: DelegationRequest) => refusal(w.run(delegator.delegate(request, false)));
  const plan = (more: object) => delegationOf(alice, { coins: [coin], ...more });
  const outputOf = (change: (psbt: Psbt) => Psbt) => plan({ forge: change });
  const books = await memory(w);

  assert.equal(await attempt(plan({ message: { cosignersPublicKeys: [stranger] } })), 'INVALID_INTENT_MESSAGE');
  assert.equal(
    await attempt(plan({ message: { cosignersPublicKeys: [DELEGATE, stranger] } })),
    'INVALID_INTENT_MESSAGE',
  );
  assert.equal(await attempt(plan({ message: { onchainOutputIndexes: [0] } })), 'INVALID_INTENT_MESSAGE');
  assert.equal(await attempt(plan({ validAt: 10, message: { expireAt: 5 } })), 'INVALID_INTENT_MESSAGE');
  assert.equal(
    await attempt({ ...good, message: good.message.replace('"valid_at":0', '"valid_at":1') }),
    'INVALID_INTENT_PROOF',
  );
  assert.equal(await attempt({ ...good, proof: 'AAAA' }), 'INVALID_INTENT_PSBT');
  assert.equal(await attempt({ ...good, forfeits: [] }), 'INVALID_FORFEIT_TXS');
  assert.equal(await attempt({ ...good, forfeits: [...good.forfeits, ...good.forfeits] }), 'INVALID_FORFEIT_TXS');
  const foreign = delegationOf(alice, { coins: [other] });
  assert.equal(await attempt({ ...good, forfeits: foreign.forfeits }), 'INVALID_FORFEIT_TXS');
  assert.equal(await attempt(plan({ sighash: SIGHASH.DEFAULT })), 'INVALID_FORFEIT_TXS');
  assert.equal(await attempt(plan({ sighash: SIGHASH.SINGLE | SIGHASH.ANYONECANPAY })), 'INVALID_FORFEIT_TXS');
  const toElsewhere = outputOf((psbt) => ({
    ...psbt,
    tx: { ...psbt.tx, outputs: [{ ...psbt.tx.outputs[0]!, script: alice.account.vtxo.script }, psbt.tx.outputs[1]!] },
  }));
  assert.equal(await attempt(toElsewhere), 'INVALID_FORFEIT_TXS');
  const tooLittle = outputOf((psbt) => ({
    ...psbt,
    tx: { ...psbt.tx, outputs: [{ ...psbt.tx.outputs[0]!, value: 20_000n }, psbt.tx.outputs[1]!] },
  }));
  assert.equal(await attempt(tooLittle), 'INVALID_FORFEIT_TXS');
  const locked = outputOf((psbt) => ({ ...psbt, tx: { ...psbt.tx, locktime: 500 } }));
  assert.equal(await attempt(locked), 'INVALID_FORFEIT_TXS');
  const unsigned = parsePsbt(good.forfeits[0]!);
  const bare = { ...unsigned, inputs: unsigned.inputs.map((input) => ({ ...input, tapScriptSigs: [] })) };
  assert.equal(await attempt({ ...good, forfeits: [psbtBase64(bare)] }), 'INVALID_FORFEIT_TXS');
  const stolen = delegationOf(mallory, { coins: [delegatedCoin(mallory, coin)] });
  assert.equal(await attempt(stolen), 'INVALID_INTENT_PROOF');
  const invented = delegatedCoin(alice, { outpoint: { ...coin.outpoint, vout: 7 }, amount: 20_000n });
  assert.equal(await attempt(delegationOf(alice, { coins: [invented] })), 'VTXO_NOT_FOUND');
  const inflated = delegatedCoin(alice, { outpoint: coin.outpoint, amount: 20_001n });
  assert.equal(await attempt(delegationOf(alice, { coins: [inflated] })), 'INVALID_INTENT_PROOF');

  assert.deepEqual(await delegations(w), []);
  assert.deepEqual(await memory(w), books);
  await delegator.stop();
});

/** Changes what the server tells the delegator in the stream of a batch. */
const tampering =
  (change: (message: Fields) => Fields) =>
  (transport: Transport): Transport => ({
    call: transport.call,
    async open(call) {
      const stream = await transport.open(call);
      return {
        close: stream.close,
        async *[Symbol.asyncIterator]() {
          for await (const message of stream) yield change(message);
        },
      };
    },
  });

const inside = (name: string, change: (fields: Fields) => Fields) =>
  tampering((message) => (message[name] ? { [name]: change(asFields(message[name])) } : message));

/** The leaf's first output pays one satoshi less, or to somebody else. */
const otherOutputs = (fields: Fields): Fields => {
  if (fields.batchIndex !== 0) return fields;
  const psbt = parsePsbt(fields.tx as string);
  const [first, ...rest] = psbt.tx.outputs;
  const script = Uint8Array.from(first!.script, (byte, i) => (i === 33 ? byte ^ 1 : byte));
  return { ...fields, tx: psbtBase64({ ...psbt, tx: { ...psbt.tx, outputs: [{ ...first!, script }, ...rest] } }) };
};

test('a server that lies about the batch gets no signature of the delegate, and the delegation waits on', async () => {
  const lies = [
    inside('treeTx', otherOutputs),
    inside('treeTx', (fields) => (fields.batchIndex === 1 ? { ...fields, tx: undefined } : fields)),
    inside('batchStarted', (fields) => ({ ...fields, batchExpiry: '21' })),
    inside('batchStarted', (fields) => ({ ...fields, batchExpiry: '143' })),
    inside('batchFinalization', (fields) => {
      const psbt = parsePsbt(fields.commitmentTx as string);
      return { ...fields, commitmentTx: psbtBase64({ ...psbt, tx: { ...psbt.tx, locktime: 1 } }) };
    }),
  ];
  for (const [i, lie] of lies.entries()) {
    const [w, alice] = await scene(`delegation/lies/${i}`);
    const coin = await fundDelegated(w, alice, 20_000);
    const forfeits: string[] = [];
    const watching = lying({
      submitForfeitTxs: sending((body) => {
        forfeits.push(...body.signedForfeitTxs);
        return body;
      }),
    });
    const delegator = await delegatorOf(w, { lying: (transport) => watching(lie(transport)) });
    await w.run(delegator.delegate(delegationOf(alice, { coins: [coin] }), false));
    await w.advance(MINUTE);
    assert.deepEqual(forfeits, [], `lie ${i}: no forfeit leaves`);
    assert.deepEqual(await states(w), ['waiting'], `lie ${i}`);
    assert.deepEqual(
      (await renewable(w, alice)).map(({ outpoint }) => outpoint),
      [outpointKey(coin.outpoint)],
    );
    delegator.kill();
  }
});

test('what an owner authorised once cannot be used twice', async () => {
  const [w, alice] = await scene('delegation/twice');
  const delegator = await delegatorOf(w);
  const coin = await fundDelegated(w, alice, 20_000);
  const request = delegationOf(alice, { coins: [coin] });
  await w.run(delegator.delegate(request, false));
  await w.advance(MINUTE);
  assert.equal(await refusal(w.run(delegator.delegate(request, false))), 'VTXO_ALREADY_SPENT');
  const body = { intent: { proof: request.proof, message: request.message } };
  const again = w.transport.call({ route: ARK_ROUTES.registerIntent, body });
  assert.equal(await refusal(w.run(again)), 'VTXO_ALREADY_SPENT');
  await delegator.stop();
});

test('a stranger who names the delegate as cosigner spoils nothing', async () => {
  const [w, alice] = await scene('delegation/stranger');
  const mallory = await w.user('mallory');
  const delegator = await delegatorOf(w);
  const coin = await fundDelegated(w, alice, 20_000);
  const bait = await w.note(mallory, 10_000);
  const order = { coins: [bait], receivers: [paid(mallory.account, [bait])], onchain: [] };
  const cosigner = { secret: new Uint8Array(32), public: new Uint8Array(33), id: DELEGATE };
  const topics = [DELEGATE, outpointKey(bait.outpoint)];
  const stream = await mallory.client.transport.open({ route: ARK_ROUTES.batchEvents, query: { topics } });
  const intentId = await registerIntent(mallory.client, mallory.account, order, cosigner);
  const session = createBatchSession({ client: mallory.client, account: mallory.account, order, intentId, cosigner });
  void (async () => {
    for await (const message of stream) {
      if (!message.batchStarted) continue;
      for (const call of session.receive(message)) await mallory.client.transport.call(call);
    }
  })();
  await w.run(delegator.delegate(delegationOf(alice, { coins: [coin] }), false));
  await w.advance(MINUTE);
  stream.close();
  const [ended] = await delegations(w);
  assert.equal(ended!.state, 'done');
  const [row] = await w.db.read('select settled_by from ark_vtxo where outpoint = $1', [outpointKey(bait.outpoint)]);
  assert.equal(row!.settled_by, ended!.outcome, 'both were in the same batch');
  assert.deepEqual(await crimes(w), {});
  await delegator.stop();
});
