/** The audit of an Ark server's books against the chain: nothing is lost, nothing made, nothing there twice. */
import assert from 'node:assert/strict';
import type { BatchSummary } from '../../src/ark/server/store/batches.ts';
import type { Bytes, Txid } from '../../src/base/bytes.ts';
import { parse } from '../../src/base/codec.ts';
import { sumSats } from '../../src/base/units.ts';
import type { Chain } from '../../src/chain/chain.ts';
import type { Db } from '../../src/store/db.ts';

export interface Audit {
  /** Fails unless the books balance to the satoshi. Knows nothing of VTXOs that went on chain. */
  check(): Promise<void>;
  /** Satoshi of all VTXOs that somebody can still spend, off-chain payments under way included. */
  owed(): Promise<bigint>;
}

const amounts = (rows: readonly { readonly amount: unknown }[]): bigint =>
  sumSats(rows.map((row) => row.amount as bigint));

export function auditor(db: () => Db, chain: Chain, walletScript: Bytes, funds: bigint): Audit {
  async function owed(): Promise<bigint> {
    const live = await db().read<{ amount: bigint }>(
      'select amount from ark_vtxo where spent_by is null and unrolled = 0',
    );
    const underWay = await db().read<{ amount: bigint }>(
      `select v.amount from ark_vtxo v join ark_offchain_tx t on t.txid = v.ark_txid where t.finalized_at is null`,
    );
    return amounts(live) + amounts(underWay);
  }

  /** What outputs 0 and 1 of the commitments hold for VTXOs and the server, and the fees they cost and brought it. */
  async function batches(): Promise<{ held: bigint; fees: bigint }> {
    const rows = await db().read<{ commitment_txid: string; summary: string; id: string }>(
      "select id, commitment_txid, summary from ark_batch where state = 'final'",
    );
    let [held, fees] = [0n, 0n];
    for (const { commitment_txid: txid, summary } of rows) {
      const found = await chain.transaction(txid as Txid);
      assert.ok(found, `commitment ${txid} is on chain or in the mempool`);
      const facts = parse<BatchSummary>(1, summary);
      fees += facts.feeAmount - (facts.inputAmount - facts.vtxoAmount - facts.exitAmount);
      const connectors = await db().read(
        "select txid from ark_tree_tx where commitment_txid = $1 and tree = 'connector' limit 1",
        [txid],
      );
      if (facts.vtxoCount > 0) held += found.tx.outputs[0]!.value;
      if (connectors.length > 0) held += found.tx.outputs[1]!.value;
    }
    return { held, fees };
  }

  async function checkOnce(): Promise<void> {
    const live = await db().read<{ outpoint: string }>('select outpoint from ark_vtxo where spent_by is null');
    const gone = new Set(
      (
        await db().read<{ outpoint: string }>(
          'select outpoint from ark_checkpoint_tx union all select outpoint from ark_forfeit',
        )
      ).map((row) => row.outpoint),
    );
    for (const { outpoint } of live) assert.ok(!gone.has(outpoint), `${outpoint} is live and given away`);
    const twice = await db().read(
      'select outpoint from ark_checkpoint_tx where outpoint in (select outpoint from ark_forfeit)',
    );
    assert.deepEqual(twice, [], 'no VTXO is spent off-chain and forfeited');
  }

  /** Every unit of every asset is carried by a VTXO, or was by one whose successors are about to come into being. */
  async function checkSupplies(): Promise<void> {
    const carried = async (sql: string): Promise<Map<string, bigint>> => {
      const rows = await db().read<{ assets: string }>(sql);
      const totals = new Map<string, bigint>();
      for (const entry of rows.flatMap(({ assets }) => (assets === '' ? [] : assets.split(',')))) {
        const [id, amount] = entry.split(':') as [string, string];
        totals.set(id, (totals.get(id) ?? 0n) + BigInt(amount));
      }
      return totals;
    };
    const live = await carried(
      `select assets from ark_vtxo where spent_by is null and unrolled = 0
       union all select v.assets from ark_vtxo v join ark_offchain_tx t on t.txid = v.ark_txid where t.finalized_at is null
       union all select v.assets from ark_vtxo v join ark_batch b on b.commitment_txid = v.settled_by
         where b.state = 'pending'`,
    );
    const onChain = await carried('select assets from ark_vtxo where spent_by is null and unrolled = 1');
    const known = await db().read<{ id: string; supply: string }>('select id, supply from ark_asset');
    for (const { id, supply } of known) {
      const [least, more] = [live.get(id) ?? 0n, onChain.get(id) ?? 0n];
      assert.ok(least <= BigInt(supply) && BigInt(supply) <= least + more, `supply of ${id}`);
    }
    const ids = new Set(known.map(({ id }) => id));
    assert.ok(
      [...live.keys()].every((id) => ids.has(id)),
      'every asset carried is known',
    );
  }

  return {
    owed,
    async check() {
      await checkOnce();
      await checkSupplies();
      const wallet = sumSats((await chain.unspent(walletScript)).map(({ value }) => value));
      const { held, fees } = await batches();
      const [notes] = await db().read<{ n: bigint | null }>(
        "select sum(amount) as n from ark_vtxo where origin = 'note'",
      );
      // Boarding adds to both sides, exits take from both: what is left is the funds less fees and notes given away.
      assert.equal(wallet + held - (await owed()), funds - fees - (notes?.n ?? 0n), 'the books balance');
    },
  };
}
