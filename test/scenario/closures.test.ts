/**
 * Every shape of closure, for a VTXO's whole life: paid off-chain and settled through the leaf shared with the server,
 * both answered on chain when the old VTXO turns up there, and taken out through the exit without the server.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Coin } from '../../src/ark/client/account.ts';
import { settle } from '../../src/ark/client/batch.ts';
import { send } from '../../src/ark/client/offchain.ts';
import type { Transport } from '../../src/ark/client/transport.ts';
import { finalize, leafFields, leafOfVtxo, signLeaves } from '../../src/ark/protocol/leaf-spend.ts';
import { conditionPair, withPairs } from '../../src/ark/protocol/psbt-fields.ts';
import { type VtxoScript, vtxoScript } from '../../src/ark/protocol/vtxo.ts';
import { type Bytes, outpointKey } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { type Closure, encodeClosure, type MultisigForm } from '../../src/bitcoin/closure.ts';
import { createPsbt, EMPTY_INPUT, parsePsbt, psbtBase64 } from '../../src/bitcoin/psbt.ts';
import { OP, push, script } from '../../src/bitcoin/script.ts';
import { relativeTimelock, toSequence } from '../../src/bitcoin/timelock.ts';
import { txIn, txidOf } from '../../src/bitcoin/tx.ts';
import { hash160, sha256 } from '../../src/crypto/hash.ts';
import { crimes, lying, memory, sending } from '../support/adversary.ts';
import { unroll } from '../support/unroll.ts';
import { paid, secp, type User, type World, world } from '../support/world.ts';

const EXIT = relativeTimelock(20);
const AMOUNT = 20_000n;
const PREIMAGE = new Uint8Array(32).fill(7);
const BOB = new Uint8Array(32).fill(0x0b);
const bob = secp.publicKey(BOB).slice(1);

interface Keys {
  readonly owner: Bytes;
  readonly signer: Bytes;
}

interface Shape {
  readonly name: string;
  /** What the owner and the server sign together. */
  shared(keys: Keys, w: World): Promise<Closure> | Closure;
  exit(keys: Keys): Closure;
  /** What the conditions ask for. */
  readonly condition?: readonly Bytes[];
  /** Makes a locked leaf spendable. */
  ripen?(w: World): Promise<void>;
}

const checksig = (...keys: readonly Bytes[]) => ({ keys, form: 'checksig' as MultisigForm });
const checksigadd = (...keys: readonly Bytes[]) => ({ keys, form: 'checksigadd' as MultisigForm });
const afterDelay = (multisig: ReturnType<typeof checksig>): Closure => ({ kind: 'csv', timelock: EXIT, ...multisig });
const hashLock = script(OP.HASH160, push(hash160(PREIMAGE)), OP.EQUAL);
const sizedHashLock = script(
  OP.SIZE,
  push(Uint8Array.of(32)),
  OP.EQUALVERIFY,
  OP.SHA256,
  push(sha256(PREIMAGE)),
  OP.EQUAL,
);

const HOUR = 3_600;

const SHAPES: readonly Shape[] = [
  {
    name: 'a multisig of two',
    shared: ({ owner, signer }) => ({ kind: 'multisig', ...checksig(owner, signer) }),
    exit: ({ owner }) => afterDelay(checksig(owner)),
  },
  {
    name: 'a multisig that counts with CHECKSIGADD',
    shared: ({ owner, signer }) => ({ kind: 'multisig', ...checksigadd(owner, signer) }),
    exit: ({ owner }) => afterDelay(checksigadd(owner, bob)),
  },
  {
    name: 'a multisig of three, and an exit of two',
    shared: ({ owner, signer }) => ({ kind: 'multisig', ...checksig(owner, bob, signer) }),
    exit: ({ owner }) => afterDelay(checksig(owner, bob)),
  },
  {
    name: 'a multisig of three that counts with CHECKSIGADD',
    shared: ({ owner, signer }) => ({ kind: 'multisig', ...checksigadd(signer, bob, owner) }),
    exit: ({ owner }) => afterDelay(checksig(owner)),
  },
  {
    name: 'a lock until a height',
    shared: async ({ owner, signer }, { chain }) => ({
      kind: 'cltv',
      locktime: (await chain.tip()).height + 5,
      ...checksig(owner, signer),
    }),
    exit: ({ owner }) => afterDelay(checksig(owner)),
    ripen: (w) => w.mine(5),
  },
  {
    name: 'a lock until a time, counted with CHECKSIGADD',
    shared: async ({ owner, signer }, { chain }) => ({
      kind: 'cltv',
      locktime: (await chain.tip()).medianTime + HOUR,
      ...checksigadd(owner, signer),
    }),
    exit: ({ owner }) => afterDelay(checksig(owner)),
    async ripen(w) {
      await w.advance(2 * HOUR * 1_000);
      await w.mine(11);
    },
  },
  {
    name: 'a hash lock, and the same at the exit',
    shared: ({ owner, signer }) => ({ kind: 'condition', condition: hashLock, ...checksig(owner, signer) }),
    exit: ({ owner }) => ({ kind: 'condition-csv', condition: hashLock, timelock: EXIT, ...checksig(owner) }),
    condition: [PREIMAGE],
  },
  {
    name: 'a condition with a VERIFY of its own, counted with CHECKSIGADD',
    shared: ({ owner, signer }) => ({ kind: 'condition', condition: sizedHashLock, ...checksigadd(owner, signer) }),
    exit: ({ owner }) => ({
      kind: 'condition-csv',
      condition: sizedHashLock,
      timelock: EXIT,
      ...checksigadd(owner, bob),
    }),
    condition: [PREIMAGE],
  },
];

const sign = (text: string): string => psbtBase64(signLeaves(secp, parsePsbt(text), BOB, new Uint8Array(32)));

/** Bob signs along wherever a leaf asks for him. */
function withBob(transport: Transport): Transport {
  return lying({
    registerIntent: sending((body) => ({ intent: { ...body.intent, proof: sign(body.intent.proof) } })),
    submitForfeitTxs: sending((body) => ({ ...body, signedForfeitTxs: body.signedForfeitTxs.map(sign) })),
    async submitTx(body, send) {
      const answer = await send({ ...body, signedArkTx: sign(body.signedArkTx) });
      return { ...answer, signedCheckpointTxs: (answer.signedCheckpointTxs as string[]).map(sign) };
    },
  })(transport);
}

const spenderOf = async ({ chain }: World, coin: Coin) => (await chain.output(coin.outpoint))?.spentBy;

/** What a refusal says besides its code, of a leaf whose time has not come. */
async function lockOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof ProtocolError);
    assert.equal(error.code, 'FORFEIT_CLOSURE_LOCKED');
    return error.data;
  }
  return assert.fail('it was not refused');
}

async function assertLocked(w: World, alice: User, coin: Coin, closure: Closure): Promise<void> {
  if (closure.kind !== 'cltv') return;
  const tip = await w.chain.tip();
  const type = closure.locktime < 500_000_000 ? 'height' : 'time';
  const current = type === 'height' ? tip.height : tip.medianTime;
  const expected = { locktime: `${closure.locktime}`, current_locktime: `${current}`, type };
  const books = await memory(w);
  const order = { coins: [coin], receivers: [paid(alice.account, [coin])], onchain: [] };
  const pay = send(alice.client, alice.account, [coin], order.receivers);
  assert.deepEqual(await lockOf(w.run(pay)), expected);
  assert.deepEqual(await lockOf(w.run(settle(alice.client, alice.account, order))), expected);
  assert.deepEqual(await memory(w), books, 'refusals leave no trace');
}

/** Takes the VTXO's output from the chain through its exit leaf. */
async function claim(w: World, alice: User, coin: Coin, vtxo: VtxoScript, condition?: readonly Bytes[]) {
  const leaf = leafOfVtxo(vtxo, vtxo.scripts[1]!)!;
  const tx = {
    version: 2,
    inputs: [txIn(coin.outpoint, toSequence(EXIT))],
    outputs: [{ value: coin.amount - 1_000n, script: alice.account.boarding.script }],
    locktime: 0,
  };
  const spending = { ...EMPTY_INPUT, ...leafFields(leaf), witnessUtxo: { value: coin.amount, script: coin.script } };
  const psbt = createPsbt(tx, [condition ? withPairs(spending, conditionPair(condition)) : spending]);
  const aux = new Uint8Array(32);
  const signed = [alice.account.secret, BOB].reduce((all, secret) => signLeaves(secp, all, secret, aux), psbt);
  return w.chain.broadcast(finalize(signed));
}

for (const [i, shape] of SHAPES.entries()) {
  test(`${shape.name}: paid, settled, answered on chain, and left through the exit`, async () => {
    const w = await world({ seed: `closures/${i}` });
    const alice = await w.user('alice', withBob);
    const { account, client } = alice;
    const keys = { owner: account.publicKey, signer: client.terms.signer };
    const closure = await shape.shared(keys, w);
    const vtxo = vtxoScript(secp, [encodeClosure(closure), encodeClosure(shape.exit(keys))]);
    const output = { value: AMOUNT, script: vtxo.script };
    const note = await w.note(alice, 3 * Number(AMOUNT));
    alice.pocket.length = 0;
    const funded = await w.run(
      settle(client, account, { coins: [note], receivers: [output, output, output], onchain: [] }),
    );
    await w.mine(1);
    const leaf = leafOfVtxo(vtxo, vtxo.scripts[0]!)!;
    const [spent, settled, left] = funded.vtxos.map(
      ({ outpoint }): Coin => ({
        kind: 'vtxo',
        outpoint,
        amount: AMOUNT,
        script: vtxo.script,
        leaf,
        tapTree: vtxo.scripts,
        ...(shape.condition && { condition: shape.condition }),
      }),
    ) as [Coin, Coin, Coin];

    await assertLocked(w, alice, spent, closure);
    await shape.ripen?.(w);
    const payment = await w.run(send(client, account, [spent], [paid(account, [spent])]));
    await w.run(settle(client, account, { coins: [settled], receivers: [paid(account, [settled])], onchain: [] }));
    assert.deepEqual(await crimes(w), {});
    await w.mine(1);

    await unroll(w, funded.branch);
    w.audit = { ...w.audit, check: async () => {} };
    for (let block = 0; block < 12; block++) await w.mine(1);
    const checkpoint = await spenderOf(w, spent);
    assert.equal(checkpoint?.txid, txidOf(payment.checkpoints[0]!.tx), 'the checkpoint answers the payment');
    assert.ok(checkpoint?.confirmation);
    const key = outpointKey(settled.outpoint);
    const [row] = await w.db.read('select txid from ark_forfeit where outpoint = $1', [key]);
    const forfeit = await spenderOf(w, settled);
    assert.equal(forfeit?.txid, row!.txid, 'the forfeit answers the settlement');
    assert.ok(forfeit?.confirmation);

    await w.mine(Number(EXIT.value));
    const txid = await claim(w, alice, left, vtxo, shape.condition);
    await w.mine(1);
    assert.ok((await w.chain.transaction(txid))?.confirmation, 'the owner left without the server');
  });
}

test('who proved a condition once need not repeat it in the forfeit', async () => {
  const w = await world({ seed: 'closures/condition-once' });
  const withoutCondition = (text: string): string => {
    const psbt = parsePsbt(text);
    return psbtBase64({ ...psbt, inputs: psbt.inputs.map((input) => ({ ...input, rest: [] })) });
  };
  const alice = await w.user(
    'alice',
    lying({
      submitForfeitTxs: sending((body) => ({
        ...body,
        signedForfeitTxs: body.signedForfeitTxs.map(withoutCondition),
      })),
    }),
  );
  const { account, client } = alice;
  const [owner, signer] = [account.publicKey, client.terms.signer];
  const vtxo = vtxoScript(secp, [
    encodeClosure({ kind: 'condition', condition: hashLock, ...checksig(owner, signer) }),
    encodeClosure(afterDelay(checksig(owner))),
  ]);
  const note = await w.note(alice, 20_000);
  alice.pocket.length = 0;
  const receivers = [{ value: AMOUNT, script: vtxo.script }];
  const funded = await w.run(settle(client, account, { coins: [note], receivers, onchain: [] }));
  await w.mine(1);
  const coin: Coin = {
    kind: 'vtxo',
    outpoint: funded.vtxos[0]!.outpoint,
    amount: AMOUNT,
    script: vtxo.script,
    leaf: leafOfVtxo(vtxo, vtxo.scripts[0]!)!,
    tapTree: vtxo.scripts,
    condition: [PREIMAGE],
  };
  await w.run(settle(client, account, { coins: [coin], receivers: [paid(account, [coin])], onchain: [] }));
  await w.mine(1);
  await unroll(w, funded.branch);
  for (let block = 0; block < 6; block++) await w.mine(1);
  const [row] = await w.db.read('select txid from ark_forfeit where outpoint = $1', [outpointKey(coin.outpoint)]);
  const forfeit = await spenderOf(w, coin);
  assert.equal(forfeit?.txid, row!.txid);
  assert.ok(forfeit?.confirmation, 'the forfeit carries what met the condition');
});

test('an exit leaf, or a leaf without the server, spends nothing off-chain and settles nothing', async () => {
  const w = await world({ seed: 'closures/wrong-leaf' });
  const alice = await w.user('alice');
  const { account, client } = alice;
  const keys = { owner: account.publicKey, signer: client.terms.signer };
  const vtxo = vtxoScript(secp, [
    encodeClosure({ kind: 'multisig', ...checksig(keys.owner, keys.signer) }),
    encodeClosure(afterDelay(checksig(keys.owner))),
  ]);
  const note = await w.note(alice, 20_000);
  alice.pocket.length = 0;
  const receivers = [{ value: AMOUNT, script: vtxo.script }];
  const { vtxos } = await w.run(settle(client, account, { coins: [note], receivers, onchain: [] }));
  const coin: Coin = {
    kind: 'vtxo',
    outpoint: vtxos[0]!.outpoint,
    amount: AMOUNT,
    script: vtxo.script,
    leaf: leafOfVtxo(vtxo, vtxo.scripts[1]!)!,
    tapTree: vtxo.scripts,
  };
  const books = await memory(w);
  const codeOf = (work: Promise<unknown>) =>
    w.run(work).then(
      () => 'accepted',
      (error) => error.code as string,
    );
  assert.equal(await codeOf(send(client, account, [coin], [paid(account, [coin])])), 'INVALID_PSBT_INPUT');
  const order = { coins: [coin], receivers: [paid(account, [coin])], onchain: [] };
  assert.equal(await codeOf(settle(client, account, order)), 'INVALID_INTENT_PROOF');
  assert.deepEqual(await memory(w), books);
});
