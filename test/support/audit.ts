/** The audit of an Ark server's books against the chain: nothing is lost, nothing made, nothing there twice. */
import assert from 'node:assert/strict';
import type { BatchSummary } from '../../src/ark/server/store/batches.ts';
import { type Bytes, type Outpoint, outpointKey, type Txid } from '../../src/base/bytes.ts';
import { parse } from '../../src/base/codec.ts';
import { sumSats } from '../../src/base/units.ts';
import type { Tx } from '../../src/bitcoin/tx.ts';
import type { Chain } from '../../src/chain/chain.ts';
import type { Db } from '../../src/store/db.ts';

export interface Audit {
  /** Fails unless the books balance to the satoshi, whatever of them stands on chain. */
  check(): Promise<void>;
  /** Satoshi of all VTXOs that somebody can still spend, off-chain payments under way included. */
  owed(): Promise<bigint>;
  /** Satoshi under commitments, or on the way out of them, that are not in the server's wallet and nobody's alone. */
  held(): Promise<bigint>;
}

const amounts = (rows: readonly { readonly amount: unknown }[]): bigint =>
  sumSats(rows.map((row) => row.amount as bigint));

export interface AuditParts {
  readonly db: () => Db;
  readonly chain: Chain;
  /** Where the server's own coins are. */
  readonly scripts: readonly Bytes[];
  /** Satoshi that it began with. */
  readonly funds: bigint;
  /** Every transaction that it has broadcast. */
  readonly broadcasts: ReadonlyMap<Txid, Tx>;
}

export function auditor({ db, chain, scripts, funds, broadcasts }: AuditParts): Audit {
  async function owed(): Promise<bigint> {
    const live = await db().read<{ amount: bigint }>(
      'select amount from ark_vtxo where spent_by is null and unrolled = 0',
    );
    const underWay = await db().read<{ amount: bigint }>(
      `select v.amount from ark_vtxo v join ark_offchain_tx t on t.txid = v.ark_txid where t.finalized_at is null`,
    );
    return amounts(live) + amounts(underWay);
  }

  interface Row {
    readonly [name: string]: unknown;
  }
  const byKey = async (sql: string, key: string): Promise<Map<string, Row>> =>
    new Map(((await db().read(sql)) as readonly Row[]).map((row) => [String(row[key]), row]));

  /**
   * What the outputs of the commitments, and whatever has been put on chain of what hangs below them, hold for VTXOs and
   * the server; and the fees of the batches.
   */
  async function batches(): Promise<{ held: bigint; fees: bigint; commitments: ReadonlySet<string> }> {
    const finals = await db().read<{ commitment_txid: string; summary: string }>(
      "select commitment_txid, summary from ark_batch where state = 'final'",
    );
    const nodes = await byKey('select txid, children from ark_tree_tx', 'txid');
    const vtxos = await byKey('select outpoint, spent_by from ark_vtxo', 'outpoint');
    const checkpoints = await byKey('select txid from ark_checkpoint_tx', 'txid');
    const arkTxs = await byKey('select txid from ark_offchain_tx', 'txid');
    const seen = new Set<string>();
    let [held, fees] = [0n, 0n];
    const commitments = new Set<string>();

    /** Follows an output down to where its value stands now. */
    async function follow(outpoint: Outpoint, isOwners: boolean): Promise<void> {
      const key = outpointKey(outpoint);
      if (seen.has(key)) return;
      seen.add(key);
      const output = await chain.output(outpoint);
      if (!output) return;
      const by = output.spentBy?.txid;
      if (!by) held += isOwners ? 0n : output.value;
      else if (nodes.has(by) || checkpoints.has(by) || arkTxs.has(by)) await followAll(by);
    }

    async function followAll(txid: Txid): Promise<void> {
      const { outputs } = (await chain.transaction(txid))!.tx;
      for (const vout of outputs.keys()) {
        const vtxo = vtxos.get(`${txid}:${vout}`);
        await follow({ txid, vout }, vtxo !== undefined && vtxo.spent_by === null);
      }
    }

    for (const { commitment_txid, summary } of finals) {
      const txid = commitment_txid as Txid;
      commitments.add(txid);
      assert.ok(await chain.transaction(txid), `commitment ${txid} is on chain or in the mempool`);
      const facts = parse<BatchSummary>(1, summary);
      fees += facts.feeAmount - (facts.inputAmount - facts.vtxoAmount - facts.exitAmount);
      const connectors = await db().read(
        "select txid from ark_tree_tx where commitment_txid = $1 and tree = 'connector' limit 1",
        [txid],
      );
      if (facts.vtxoCount > 0) await follow({ txid, vout: 0 }, false);
      if (connectors.length > 0) await follow({ txid, vout: 1 }, false);
    }
    return { held, fees, commitments };
  }

  /** What the server's transactions besides the commitments have cost. */
  async function otherFees(commitments: ReadonlySet<string>): Promise<bigint> {
    let fees = 0n;
    for (const [txid, tx] of broadcasts) {
      if (commitments.has(txid) || !(await chain.transaction(txid))) continue;
      const spent = await Promise.all(tx.inputs.map(({ prevout }) => chain.output(prevout)));
      fees += sumSats(spent.map((output) => output!.value)) - sumSats(tx.outputs.map(({ value }) => value));
    }
    return fees;
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
    held: async () => (await batches()).held,
    async check() {
      await checkOnce();
      await checkSupplies();
      const coins = (await Promise.all(scripts.map((script) => chain.unspent(script)))).flat();
      const wallet = sumSats(coins.map(({ value }) => value));
      const { held, fees, commitments } = await batches();
      const paid = fees + (await otherFees(commitments));
      const [notes] = await db().read<{ n: bigint | null }>(
        "select sum(amount) as n from ark_vtxo where origin = 'note'",
      );
      const [withdrawn] = await db().read<{ n: bigint | null }>(
        "select sum(amount) as n from ark_withdrawal where state <> 'lost'",
      );
      // Boarding adds to both sides, exits take from both: what is left is the funds less fees and what was given away.
      const given = BigInt(notes?.n ?? 0n) + BigInt(withdrawn?.n ?? 0n);
      assert.equal(wallet + held - (await owed()), funds - paid - given, 'the books balance');
    },
  };
}
