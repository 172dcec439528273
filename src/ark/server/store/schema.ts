/** Tables of the Ark server. Money rules are constraints here: one spender per VTXO, one intent per input. */
import type { Migration } from '../../../store/db.ts';

export const ARK_MIGRATIONS: readonly Migration[] = [
  {
    id: 'ark-0001-main-path',
    sql: `
      create table ark_vtxo (
        outpoint text primary key,
        txid text not null,
        vout bigint not null,
        amount bigint not null check (amount >= 0),
        script text not null,
        origin text not null check (origin in ('batch', 'offchain', 'note')),
        commitment_txids text not null,
        depth bigint not null,
        created_at bigint not null,
        updated_at bigint not null,
        expires_at bigint not null,
        swept bigint not null default 0,
        unrolled bigint not null default 0,
        spent_by text,
        ark_txid text,
        settled_by text,
        claimed_by text,
        check ((ark_txid is null and settled_by is null) or spent_by is not null)
      );
      create index ark_vtxo_script on ark_vtxo (script, created_at, outpoint);
      create index ark_vtxo_txid on ark_vtxo (txid);
      create index ark_vtxo_ark_txid on ark_vtxo (ark_txid);
      create index ark_vtxo_settled_by on ark_vtxo (settled_by);

      create table ark_intent (
        id text primary key,
        txid text not null unique,
        message text not null,
        proof text not null,
        data text not null,
        created_at bigint not null,
        attempts bigint not null default 0,
        batch_id text
      );
      create table ark_intent_input (
        outpoint text primary key,
        intent_id text not null references ark_intent (id) on delete cascade
      );
      create index ark_intent_input_intent on ark_intent_input (intent_id);

      create table ark_batch (
        id text primary key,
        state text not null check (state in ('pending', 'final', 'failed')),
        commitment_txid text,
        commitment_tx text,
        started_at bigint not null,
        ended_at bigint not null,
        expires_at bigint not null default 0,
        swept bigint not null default 0,
        confirmed_height bigint,
        summary text not null,
        outputs text not null
      );
      create unique index ark_batch_commitment on ark_batch (commitment_txid);
      create index ark_batch_started on ark_batch (started_at);
      create index ark_batch_state on ark_batch (state);

      create table ark_tree_tx (
        txid text primary key,
        commitment_txid text not null,
        tree text not null check (tree in ('vtxo', 'connector')),
        position bigint not null,
        parent_txid text not null,
        children text not null,
        psbt text not null
      );
      create index ark_tree_tx_commitment on ark_tree_tx (commitment_txid, tree, position);

      create table ark_forfeit (
        outpoint text primary key,
        commitment_txid text not null,
        connector text not null unique,
        txid text not null,
        psbt text not null
      );
      create index ark_forfeit_commitment on ark_forfeit (commitment_txid, outpoint);

      create table ark_offchain_tx (
        txid text primary key,
        psbt text not null,
        outputs text not null,
        created_at bigint not null,
        finalized_at bigint
      );
      create table ark_checkpoint_tx (
        txid text primary key,
        ark_txid text not null references ark_offchain_tx (txid),
        position bigint not null,
        outpoint text not null unique,
        psbt text not null
      );
      create index ark_checkpoint_tx_ark on ark_checkpoint_tx (ark_txid, position);

      create table ark_sweep (
        txid text primary key,
        commitment_txid text not null,
        tx text not null,
        created_at bigint not null,
        confirmed_height bigint
      );
      create index ark_sweep_commitment on ark_sweep (commitment_txid, created_at);

      create table ark_conviction (
        id text primary key,
        script text not null,
        crime text not null,
        batch_id text not null,
        reason text not null,
        created_at bigint not null,
        expires_at bigint not null,
        pardoned bigint not null default 0
      );
      create index ark_conviction_script on ark_conviction (script, expires_at);

      create table ark_setting (
        name text primary key,
        value text not null
      );
    `,
  },
  {
    id: 'ark-0002-assets',
    sql: `
      create table ark_asset (
        id text primary key,
        supply text not null,
        metadata text not null,
        control_asset text
      );
      create table ark_asset_change (
        txid text not null,
        asset_id text not null references ark_asset (id),
        amount text not null,
        primary key (txid, asset_id)
      );
      alter table ark_vtxo add column assets text not null default '';
      alter table ark_offchain_tx add column asset_changes text not null default '';
      alter table ark_batch add column asset_changes text not null default '';
    `,
  },
  {
    id: 'ark-0003-signers-and-delegations',
    sql: `
      create table ark_signer (
        public_key text primary key,
        generation bigint unique,
        sealed_secret bytea,
        state text not null check (state in ('current', 'deprecated', 'retired')),
        cutoff bigint not null default 0 check (cutoff >= 0),
        created_at bigint not null,
        check ((generation is null) <> (sealed_secret is null))
      );
      create unique index ark_signer_current on ark_signer (state) where state = 'current';

      create table ark_delegation (
        id text primary key,
        message text not null,
        proof text not null,
        forfeits text not null,
        valid_at bigint not null,
        state text not null check (state in ('waiting', 'done', 'failed', 'replaced')),
        created_at bigint not null,
        due_at bigint not null,
        attempts bigint not null default 0,
        outcome text
      );
      create index ark_delegation_due on ark_delegation (state, due_at);
      create table ark_delegation_input (
        outpoint text primary key,
        delegation_id text not null references ark_delegation (id) on delete cascade
      );
      create index ark_delegation_input_delegation on ark_delegation_input (delegation_id);
    `,
  },
  {
    id: 'ark-0003b-delegation-intents',
    sql: `
      alter table ark_delegation add column intent_id text;
    `,
  },
  {
    id: 'ark-0004-withdrawals',
    sql: `
      create table ark_withdrawal (
        txid text primary key,
        tx text not null,
        address text not null,
        amount bigint not null check (amount > 0),
        fee bigint not null check (fee >= 0),
        created_at bigint not null,
        state text not null check (state in ('open', 'buried', 'lost'))
      );
      create index ark_withdrawal_created on ark_withdrawal (created_at);
      create index ark_withdrawal_open on ark_withdrawal (created_at) where state = 'open';
    `,
  },
  {
    id: 'ark-0005-indexes-at-size',
    sql: `
      create index ark_forfeit_txid on ark_forfeit (txid);
      create index ark_vtxo_unspent on ark_vtxo (script, created_at, outpoint, swept, unrolled) where spent_by is null;
      create index ark_vtxo_changed on ark_vtxo (script, updated_at);
      create index ark_vtxo_owed on ark_vtxo (swept, amount) where spent_by is null and unrolled = 0;
      create index ark_vtxo_unrolled on ark_vtxo (updated_at) where unrolled = 1;
      create index ark_offchain_tx_pending on ark_offchain_tx (txid) where finalized_at is null;
    `,
  },
  {
    id: 'ark-0005-lookups-by-script',
    sql: `
      drop index ark_vtxo_owed;
      drop index ark_vtxo_unspent;
      create index ark_vtxo_unspent on ark_vtxo (script, unrolled, swept, created_at, outpoint, amount, spent_by)
        where spent_by is null;
    `,
  },
  {
    id: 'ark-0005-pending-by-payer',
    sql: `
      alter table ark_offchain_tx add column payer text not null default '';
      create index ark_offchain_tx_payer on ark_offchain_tx (payer) where finalized_at is null;
    `,
  },
  {
    id: 'ark-0006-sweeps-and-cases',
    sql: `
      create table ark_sweep_batch (
        sweep_txid text not null,
        commitment_txid text not null,
        primary key (sweep_txid, commitment_txid)
      );
      create index ark_sweep_batch_commitment on ark_sweep_batch (commitment_txid);
      insert into ark_sweep_batch (sweep_txid, commitment_txid) select txid, commitment_txid from ark_sweep;
      create table ark_sweep_copy as select txid, tx, created_at, confirmed_height from ark_sweep;
      drop table ark_sweep;
      create table ark_sweep (
        txid text primary key,
        tx text not null,
        fee bigint not null,
        height bigint not null,
        created_at bigint not null,
        confirmed_height bigint
      );
      create index ark_sweep_confirmed on ark_sweep (confirmed_height);
      insert into ark_sweep (txid, tx, fee, height, created_at, confirmed_height)
        select txid, tx, 0, 0, created_at, confirmed_height from ark_sweep_copy;
      drop table ark_sweep_copy;
      alter table ark_checkpoint_tx add column tapscript text;
      create table ark_closed_case (
        outpoint text primary key,
        outcome text not null check (outcome in ('answered', 'lost')),
        closed_at bigint not null
      );
    `,
  },
  {
    id: 'ark-0007-griefing',
    sql: `
      create index ark_conviction_created on ark_conviction (created_at);
      create index ark_conviction_batch on ark_conviction (batch_id);
      alter table ark_intent add column missed bigint not null default 0;
    `,
  },
];
