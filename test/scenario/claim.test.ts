/** The end of a unilateral exit: the server notices who takes an unrolled VTXO from the chain, and tells its wallet. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { vtxosOf } from '../../src/ark/client/vtxos.ts';
import { finalize, leafFields, leafOfVtxo, signLeaves } from '../../src/ark/protocol/leaf-spend.ts';
import { createPsbt, EMPTY_INPUT } from '../../src/bitcoin/psbt.ts';
import { txIn } from '../../src/bitcoin/tx.ts';
import { unroll } from '../support/unroll.ts';
import { secp, type User, type World, world } from '../support/world.ts';

const EXIT_DELAY = 20;

/** Everything the user has, settled and put on chain; and the transaction that takes it from there. */
async function unrolled(w: World, alice: User) {
  await w.note(alice, 50_000);
  const [settled] = await w.settle(alice);
  await w.mine(1);
  await unroll(w, settled!.branch);
  const { outpoint, output } = settled!.vtxos[0]!;
  const { vtxo, secret } = alice.account;
  const leaf = leafOfVtxo(vtxo, vtxo.scripts[1]!)!;
  const input = { ...EMPTY_INPUT, witnessUtxo: output, ...leafFields(leaf) };
  const outputs = [{ ...output, value: output.value - 1_000n }];
  const tx = { version: 2, inputs: [txIn(outpoint, EXIT_DELAY)], outputs, locktime: 0 };
  return finalize(signLeaves(secp, createPsbt(tx, [input]), secret, new Uint8Array(32)));
}

const spentFlag = async ({ client, account }: User): Promise<boolean> => (await vtxosOf(client, account))[0]!.isSpent;

test('an unrolled VTXO is spent once its claim is confirmed, and only for as long', async () => {
  const w = await world({ seed: 'claim/reorg' });
  const alice = await w.user('alice');
  const claim = await unrolled(w, alice);
  await w.mine(EXIT_DELAY);
  assert.equal(await spentFlag(alice), false);
  await w.chain.broadcast(claim);
  await w.rest();
  assert.equal(await spentFlag(alice), false);
  await w.mine(1);
  assert.equal(await spentFlag(alice), true);
  await w.reorg(1);
  assert.equal(await spentFlag(alice), false);
  await w.mine(2);
  assert.equal(await spentFlag(alice), true);
});
