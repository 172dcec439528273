/** Tables of the chain index: blocks, their transactions, and every output with the input that spends it. */
import type { Migration } from '../../store/db.ts';

export const CHAIN_MIGRATIONS: readonly Migration[] = [
  {
    id: 'chain-0001-index',
    sql: `
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
    `,
  },
];
