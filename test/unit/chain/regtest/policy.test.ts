import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, type Txid } from '../../../../src/base/bytes.ts';
import { unixSeconds } from '../../../../src/base/units.ts';
import { OP, push, script } from '../../../../src/bitcoin/script.ts';
import { toSequence } from '../../../../src/bitcoin/timelock.ts';
import { type Tx, type TxOut, txidOf, vsizeOf } from '../../../../src/bitcoin/tx.ts';
import { dustThreshold } from '../../../../src/chain/regtest/dust.ts';
import { anchor } from '../../../support/locks.ts';
import {
  coinOf,
  P2A,
  pay,
  reasonOf,
  type SpendOptions,
  spend,
  type TestCoin,
  testChain,
} from '../../../support/regtest.ts';

const data = (length: number) => new Uint8Array(length).fill(0x61);
const key = concat(Uint8Array.of(2), data(32));
const opReturn = (length: number): TxOut => ({ value: 0n, script: script(OP.RETURN, push(data(length))) });

test('an output that costs more to spend than it holds is dust', () => {
  const { locks } = testChain({ initialBlocks: 0 });
  const thresholds = [locks.p2tr, locks.p2wpkh, locks.p2pkh, locks.nested, locks.p2wsh, anchor].map((lock) =>
    dustThreshold(pay(lock, 0n)),
  );
  assert.deepEqual(thresholds, [330n, 294n, 546n, 540n, 330n, 240n]);
  assert.equal(dustThreshold(opReturn(20)), 0n);
});

test('transactions that are not standard are refused, and the confirmed coin stays spendable', async () => {
  const world = testChain();
  const { chain, locks } = world;
  const [coin, legacy] = (await world.fund([locks.p2tr, locks.p2pkh])) as [TestCoin, TestCoin];
  const rest = pay(locks.p2tr, 90_000n);
  const to = (outputs: readonly TxOut[], options?: SpendOptions): Tx => spend([coin], outputs, options);
  const changed = (change: Partial<Tx['inputs'][number]>, from: TestCoin = coin): Tx => {
    const tx = spend([from], [rest]);
    return { ...tx, inputs: [{ ...tx.inputs[0]!, ...change }] };
  };
  const signature = changed({}).inputs[0]!.witness[0]!;
  const cases: Readonly<Record<string, readonly Tx[]>> = {
    version: [to([rest], { version: 0 }), to([rest], { version: 4 }), to([rest], { version: -1 })],
    'tx-size': [to(Array.from({ length: 2_400 }, () => pay(locks.p2tr, 40n)))],
    'tx-size-small': [to([{ value: 0n, script: Uint8Array.of(OP.RETURN) }])],
    scriptpubkey: [
      to([rest, { value: 600n, script: Uint8Array.of(OP.ONE) }]),
      to([
        rest,
        { value: 600n, script: script(OP.ONE, ...[1, 2, 3, 4].map(() => push(key)), OP.ONE + 3, OP.CHECKMULTISIG) },
      ]),
      to([rest, opReturn(81)]),
    ],
    'multi-op-return': [to([rest, opReturn(3), opReturn(4)])],
    dust: [
      to([rest, pay(locks.p2tr, 329n)]),
      to([rest, pay(locks.p2wpkh, 293n)]),
      to([pay(locks.p2tr, 100_000n), P2A, P2A], { version: 3 }),
      to([rest, P2A], { version: 3 }),
    ],
    'scriptsig-size': [changed({ scriptSig: push(data(1_700)) })],
    'scriptsig-not-pushonly': [changed({ scriptSig: Uint8Array.of(OP.NOP) }, legacy)],
    'bad-witness-nonstandard': [
      changed({ witness: [signature, Uint8Array.of(0x50)] }),
      changed({ witness: [data(81), data(34), concat(Uint8Array.of(0xc0), data(32))] }),
      changed({ witness: [data(1)] }, legacy),
    ],
    'mempool-script-verify-flag-failed': [
      changed({ witness: [] }),
      changed({ sequence: 0xfffffffe }),
      changed({ witness: [concat(signature, Uint8Array.of(1))] }),
    ],
    'min relay fee not met': [to([pay(locks.p2tr, 100_000n)]), to([pay(locks.p2tr, 99_900n)])],
    'bad-txns-in-belowout': [to([pay(locks.p2tr, 100_001n)])],
    'bad-txns-vout-empty': [to([])],
    'bad-txns-vout-negative': [to([pay(locks.p2tr, -1n)])],
    'bad-txns-inputs-duplicate': [spend([coin, coin], [rest])],
    'bad-txns-inputs-missingorspent': [
      changed({ prevout: { txid: 'ab'.repeat(32) as Txid, vout: 0 } }),
      changed({ prevout: { ...coin.outpoint, vout: 9 } }),
    ],
    'txn-already-known': [(await chain.transaction(coin.outpoint.txid))!.tx],
  };
  for (const [reason, txs] of Object.entries(cases)) {
    for (const [i, tx] of txs.entries()) assert.equal(await reasonOf(chain.broadcast(tx)), reason, `${reason} ${i}`);
  }
  assert.deepEqual(await chain.explorer.mempool(), []);
  const exact = to([pay(locks.p2tr, 0n)]);
  await chain.broadcast(to([pay(locks.p2tr, 100_000n - BigInt(vsizeOf(exact)))]));
});

test('codes tell a missing input, a confirmed transaction and other refusals apart', async () => {
  const world = testChain();
  const { chain, locks } = world;
  const [coin] = (await world.fund([locks.p2tr])) as [TestCoin];
  const tx = spend([coin], [pay(locks.p2tr, 99_000n)]);
  await chain.broadcast(tx);
  assert.equal(await chain.broadcast(tx), txidOf(tx));
  await chain.mine(1);
  await assert.rejects(chain.broadcast(tx), { code: 'TX_ALREADY_IN_CHAIN' });
  await assert.rejects(chain.broadcast(spend([coin], [pay(locks.p2tr, 98_000n)])), { code: 'TX_MISSING_INPUTS' });
  await assert.rejects(chain.broadcast(spend([coinOf(tx, 0, locks.p2tr)], [])), { code: 'TX_REJECTED' });
});

test('coinbases mature after 100 blocks', async () => {
  const world = testChain({ initialBlocks: 0 });
  const { chain, locks } = world;
  const [hash] = await chain.mine(1, locks.p2tr.script);
  const txid = (await chain.explorer.block(hash!))!.txids[0]!;
  const coin = coinOf((await chain.transaction(txid))!.tx, 0, locks.p2tr);
  const tx = spend([coin], [pay(locks.p2tr, 4_999_990_000n)]);
  await chain.mine(98);
  assert.equal(await reasonOf(chain.broadcast(tx)), 'bad-txns-premature-spend-of-coinbase');
  await chain.mine(1);
  await chain.broadcast(tx);
});

test('absolute and relative locks open exactly when they should', async () => {
  const world = testChain();
  const { chain, locks } = world;
  const seconds = toSequence({ type: 'seconds', value: 512 });
  const [byHeight, byTime, byBlocks, bySeconds] = (await world.fund([
    locks.cltv(113),
    locks.cltv(world.time + 600),
    locks.csv(4),
    locks.csv(seconds),
  ])) as [TestCoin, TestCoin, TestCoin, TestCoin];
  const out = [pay(locks.p2tr, 99_000n)];
  const txs = {
    height: spend([byHeight], out, { locktime: 113, sequences: [0xfffffffe] }),
    time: spend([byTime], out, { locktime: world.time + 600, sequences: [0xfffffffe] }),
    blocks: spend([byBlocks], out, { sequences: [4] }),
    seconds: spend([bySeconds], out, { sequences: [seconds] }),
  };
  const reasons = () => Promise.all(Object.values(txs).map((tx) => reasonOf(chain.broadcast(tx))));
  assert.equal((await chain.tip()).height, 111);
  assert.deepEqual(await reasons(), ['non-final', 'non-final', 'non-BIP68-final', 'non-BIP68-final']);
  await chain.mine(2);
  assert.deepEqual(await reasons(), [undefined, 'non-final', 'non-BIP68-final', 'non-BIP68-final']);
  await chain.mine(1);
  assert.deepEqual((await reasons())[2], undefined);
  await chain.advanceMedianTime(unixSeconds(world.time + 600));
  const [, atTime, , afterSeconds] = await reasons();
  assert.deepEqual([atTime, afterSeconds], ['non-final', undefined]);
  await chain.advanceMedianTime(unixSeconds(world.time + 601));
  assert.equal(await reasonOf(chain.broadcast(txs.time)), undefined);
});

test('a chain of unconfirmed transactions ends at 25', async () => {
  const world = testChain();
  const { chain, locks } = world;
  let [coin] = (await world.fund([locks.p2tr])) as [TestCoin];
  for (let i = 1; i <= 25; i++) {
    const tx = spend([coin], [pay(locks.p2tr, coin.output.value - 200n)]);
    await chain.broadcast(tx);
    coin = coinOf(tx, 0, locks.p2tr);
  }
  const tooFar = spend([coin], [pay(locks.p2tr, 50_000n)]);
  assert.equal(await reasonOf(chain.broadcast(tooFar)), 'too-long-mempool-chain');
  await chain.mine(1);
  await chain.broadcast(tooFar);
});
