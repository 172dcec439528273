/** Leaving without the server: what an owner keeps for it, and the way through it on a chain that is all there is. */
import assert from 'node:assert/strict';
import { fetchLineage } from '../../src/ark/client/lineage.ts';
import { finalize, leafFields, leafOfVtxo, signLeaves } from '../../src/ark/protocol/leaf-spend.ts';
import type { Outpoint } from '../../src/base/bytes.ts';
import { createPsbt, EMPTY_INPUT } from '../../src/bitcoin/psbt.ts';
import { p2tr } from '../../src/bitcoin/script.ts';
import { type Tx, txIn, txidOf } from '../../src/bitcoin/tx.ts';
import { broadcastWithChild } from './unroll.ts';
import { SETTINGS, secp, type User, type World } from './world.ts';

export const CLAIM_FEE = 1_000n;

/** The signed transactions from the chain to a VTXO, parents first. */
export async function exitPath({ client }: User, outpoint: Outpoint): Promise<readonly Tx[]> {
  const { psbts, findings } = await fetchLineage(client, outpoint);
  assert.deepEqual(findings, []);
  const txs = new Map([...psbts].map(([txid, psbt]) => [txid, finalize(psbt)]));
  const ordered = new Map<string, Tx>();
  const visit = (tx: Tx): void => {
    const txid = txidOf(tx);
    if (ordered.has(txid)) return;
    for (const { prevout } of tx.inputs) {
      const parent = txs.get(prevout.txid);
      if (parent) visit(parent);
    }
    ordered.set(txid, tx);
  };
  for (const tx of txs.values()) visit(tx);
  return [...ordered.values()];
}

/** Puts the transactions on chain that are not there yet, each with a child that pays, and a block after each. */
export async function leave(w: World, path: readonly Tx[]): Promise<void> {
  for (const tx of path) {
    if ((await w.chain.transaction(txidOf(tx)))?.confirmation) continue;
    try {
      await broadcastWithChild(w, tx);
    } catch (error) {
      // The server may have had the same in mind.
      if (!(await w.chain.transaction(txidOf(tx)))) throw error;
    }
    await w.mine(1);
  }
}

/** Spends an unrolled VTXO that has waited its delay, by its owner alone. */
export async function claim(w: World, user: User, outpoint: Outpoint): Promise<void> {
  const output = (await w.chain.output(outpoint))!;
  const { vtxo, secret, publicKey } = user.account;
  const leaf = leafOfVtxo(vtxo, vtxo.scripts[1]!)!;
  const input = { ...EMPTY_INPUT, witnessUtxo: { value: output.value, script: output.script }, ...leafFields(leaf) };
  const inputs = [txIn(outpoint, SETTINGS.unilateralExitDelay.value)];
  const outputs = [{ value: output.value - CLAIM_FEE, script: p2tr(publicKey) }];
  const psbt = createPsbt({ version: 2, inputs, outputs, locktime: 0 }, [input]);
  await w.chain.broadcast(finalize(signLeaves(secp, psbt, secret, new Uint8Array(32))));
}
