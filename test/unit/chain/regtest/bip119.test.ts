import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bytes } from '../../../../src/base/bytes.ts';
import { serializeBlock } from '../../../../src/bitcoin/block.ts';
import { OP, push, script } from '../../../../src/bitcoin/script.ts';
import { templateHash } from '../../../../src/bitcoin/template-hash.ts';
import type { Tx } from '../../../../src/bitcoin/tx.ts';
import { sha256 } from '../../../../src/crypto/hash.ts';
import { assemble } from '../../../support/bad-blocks.ts';
import type { Lock } from '../../../support/locks.ts';
import { pay, reasonOf, spend, type TestChain, testChain } from '../../../support/regtest.ts';

/** P2WSH of a script that commits to the transaction with that hash. */
function templateLock(hash: Bytes): Lock {
  const code = script(push(hash), OP.CHECKTEMPLATEVERIFY);
  const unlock = () => ({ scriptSig: new Uint8Array(0), witness: [code] });
  return { script: script(OP.FALSE, push(sha256(code))), unlock };
}

/** A confirmed coin that may only be spent by the first transaction, and another that spends it all the same. */
async function committed(world: TestChain): Promise<{ readonly planned: Tx; readonly other: Tx }> {
  const outputs = [pay(world.locks.p2tr, 99_000n)];
  const draft: Tx = {
    version: 2,
    inputs: [
      {
        prevout: { txid: '00'.repeat(32) as never, vout: 0 },
        scriptSig: new Uint8Array(0),
        sequence: 0xffffffff,
        witness: [],
      },
    ],
    outputs,
    locktime: 0,
  };
  const [coin] = await world.fund([templateLock(templateHash(draft, 0))]);
  return { planned: spend([coin!], outputs), other: spend([coin!], [pay(world.locks.p2tr, 98_000n)]) };
}

const blockOf = async (world: TestChain, tx: Tx): Promise<Bytes> =>
  serializeBlock(await assemble(world, ({ coinbase }) => ({ coinbase, txs: [tx] })));

test('with BIP119 a committed coin goes where it was to go, and nowhere else', async () => {
  const world = testChain({ bip119: true });
  const { planned, other } = await committed(world);
  assert.equal(await reasonOf(world.chain.broadcast(other)), 'mempool-script-verify-flag-failed');
  const block = await blockOf(world, other);
  assert.equal(await reasonOf(world.chain.submitBlock(block)), 'mandatory-script-verify-flag-failed');
  await world.chain.broadcast(planned);
  await world.chain.mine(1);
  assert.ok((await world.chain.output(planned.inputs[0]!.prevout))?.spentBy?.confirmation);
});

test('without it the opcode does nothing: not relayed, and valid in a block', async () => {
  const world = testChain();
  const { planned, other } = await committed(world);
  for (const tx of [planned, other]) {
    assert.equal(await reasonOf(world.chain.broadcast(tx)), 'mempool-script-verify-flag-failed');
  }
  assert.equal(await world.chain.submitBlock(await blockOf(world, other)), 'connected');
});
