/** Owners verify what they hold and what they are about to accept, against the server's word and over the chain alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { send } from '../../src/ark/client/offchain.ts';
import { type VtxoReport, verifyVtxo } from '../../src/ark/client/verify.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import type { Outpoint } from '../../src/base/bytes.ts';
import { explorerOf } from '../support/explorer.ts';
import { unroll } from '../support/unroll.ts';
import { paid, type User, type World, world } from '../support/world.ts';

const codes = ({ findings }: VtxoReport): string[] => findings.map(({ code }) => code).sort();
const verify = (w: World, { client, account }: User, outpoint: Outpoint): Promise<VtxoReport> =>
  verifyVtxo(client, explorerOf(w), outpoint, { vtxo: account.vtxo });

/** The user pays all it has off-chain; returns the receiver's new VTXO. */
async function pay(w: World, from: User, to: User, amount?: bigint) {
  const coins = await spendableCoins(from.client, from.account);
  const whole = paid(to.account, coins);
  const outputs = amount
    ? [
        { ...whole, value: amount },
        { ...paid(from.account, coins), value: whole.value - amount },
      ]
    : [whole];
  return (await w.run(send(from.client, from.account, coins, outputs))).vtxos;
}

test('a batch leaf is settled once its commitment is in a block, a payment is preconfirmed hop by hop', async () => {
  const w = await world({ seed: 'verify/honest' });
  const [alice, bob] = [await w.user('alice'), await w.user('bob')];
  await w.note(alice, 50_000);
  await w.note(bob, 20_000);
  const [settled] = await w.settle(alice, bob);
  const { outpoint } = settled!.vtxos[0]!;

  const early = await verify(w, alice, outpoint);
  assert.deepEqual([early.standing, codes(early)], ['unconfirmed', ['COMMITMENT_UNCONFIRMED']]);
  await w.mine(1);
  const report = await verify(w, alice, outpoint);
  assert.deepEqual([report.standing, report.findings], ['settled', []]);
  assert.deepEqual([report.serverTrustedHops, report.txs.length, report.output?.value], [0, 2, 50_000n]);
  assert.deepEqual(report.roots, [{ commitmentTxid: settled!.commitmentTxid, expiry: settled!.expiry }]);
  const { height } = await w.chain.tip();
  assert.deepEqual(report.life, {
    unit: 'blocks',
    expiresAt: height + 144,
    latestStart: height + 144 - 4 - 20,
    renewFrom: height + 144 - 4 - 20 - 36,
    now: height,
  });

  const [first] = await pay(w, alice, bob, 30_000n);
  const one = await verify(w, bob, first!.outpoint);
  assert.deepEqual([one.standing, one.findings, one.serverTrustedHops], ['preconfirmed', [], 1]);
  // What Bob pays on comes from his own leaf and from Alice: two branches of one batch, joined.
  const [second] = await pay(w, bob, alice);
  const two = await verify(w, alice, second!.outpoint);
  assert.deepEqual([two.standing, two.findings, two.serverTrustedHops], ['preconfirmed', [], 2]);
  assert.equal(two.txs.length, 3 + 2 + 3);
  assert.equal(two.output?.value, 50_000n);

  await unroll(w, two.txs.slice(0, 1));
  const begun = await verify(w, alice, second!.outpoint);
  assert.deepEqual([begun.standing, begun.findings, begun.confirmed.length], ['preconfirmed', [], 1]);
});
