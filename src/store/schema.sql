-- Made from the migrations by "node scripts/schema.ts". Edit those instead.

create table migration (
  module text not null, id text not null, checksum text not null, primary key (module, id)
);

create table chain_block (
  height bigint primary key,
  hash text not null unique,
  header bytea not null,
  median_time bigint not null,
  size bigint not null,
  weight bigint not null
);

create table chain_tx (
  place bigint primary key,
  txid text not null unique,
  raw bytea not null
);

create table chain_output (
  txid text not null,
  vout bigint not null,
  script text not null,
  value bigint not null,
  place bigint not null,
  spent_place bigint,
  spent_vin bigint,
  primary key (txid, vout)
);

create index chain_output_script on chain_output (script, place);

create index chain_output_place on chain_output (place);

create index chain_output_spent on chain_output (spent_place);

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
  claimed_by text, assets text not null default '',
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
, missed bigint not null default 0);

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
, asset_changes text not null default '');

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
, asset_changes text not null default '', payer text not null default '');

create table ark_checkpoint_tx (
  txid text primary key,
  ark_txid text not null references ark_offchain_tx (txid),
  position bigint not null,
  outpoint text not null unique,
  psbt text not null
, tapscript text);

create index ark_checkpoint_tx_ark on ark_checkpoint_tx (ark_txid, position);

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
, intent_id text);

create index ark_delegation_due on ark_delegation (state, due_at);

create table ark_delegation_input (
  outpoint text primary key,
  delegation_id text not null references ark_delegation (id) on delete cascade
);

create index ark_delegation_input_delegation on ark_delegation_input (delegation_id);

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

create index ark_forfeit_txid on ark_forfeit (txid);

create index ark_vtxo_changed on ark_vtxo (script, updated_at);

create index ark_vtxo_unrolled on ark_vtxo (updated_at) where unrolled = 1;

create index ark_offchain_tx_pending on ark_offchain_tx (txid) where finalized_at is null;

create index ark_vtxo_unspent on ark_vtxo (script, unrolled, swept, created_at, outpoint, amount, spent_by)
where spent_by is null;

create index ark_offchain_tx_payer on ark_offchain_tx (payer) where finalized_at is null;

create table ark_sweep_batch (
  sweep_txid text not null,
  commitment_txid text not null,
  primary key (sweep_txid, commitment_txid)
);

create index ark_sweep_batch_commitment on ark_sweep_batch (commitment_txid);

create table ark_sweep (
  txid text primary key,
  tx text not null,
  fee bigint not null,
  height bigint not null,
  created_at bigint not null,
  confirmed_height bigint
);

create index ark_sweep_confirmed on ark_sweep (confirmed_height);

create table ark_closed_case (
  outpoint text primary key,
  outcome text not null check (outcome in ('answered', 'lost')),
  closed_at bigint not null
);

create index ark_conviction_created on ark_conviction (created_at);

create index ark_conviction_batch on ark_conviction (batch_id);

-- PostgreSQL only

create table if not exists commit_mark (
  writer text not null, sequence bigint not null, written_at timestamptz not null default now(),
  primary key (writer, sequence)
);
