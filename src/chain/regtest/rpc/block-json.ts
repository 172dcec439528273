/** Blocks and their headers as bitcoind prints them. */
import { reversed, toHex } from '../../../base/bytes.ts';
import { blockWeight, serializeBlock } from '../../../bitcoin/block.ts';
import { REGTEST_BITS, targetOf } from '../../../bitcoin/proof-of-work.ts';
import { txidOf } from '../../../bitcoin/tx.ts';
import type { Secp } from '../../../crypto/secp.ts';
import type { Ledger } from '../ledger.ts';
import type { BlockIndex, IndexedBlock } from './block-index.ts';
import { JsonNumber } from './json.ts';
import { type Detail, txJson } from './tx-json.ts';

const hex = (value: bigint | number, digits: number): string => value.toString(16).padStart(digits, '0');

/** Difficulty 1: the target of Bitcoin's first block. */
const UNIT_TARGET = 0xffffn << 208n;
const RATIO = Number(UNIT_TARGET) / Number(targetOf(REGTEST_BITS)!);
/** bitcoind prints fractions with as many digits. */
export const DIFFICULTY = new JsonNumber(RATIO.toPrecision(16));

export const targetJson = (bits: number) => ({ bits: hex(bits, 8), target: hex(targetOf(bits)!, 64) });

export const workJson = (work: bigint): string => hex(work, 64);

export function headerJson(index: BlockIndex, ledger: Ledger, block: IndexedBlock) {
  const { header, txs } = block.block;
  const next = index.isActive(block) ? ledger.at(block.height + 1) : undefined;
  return {
    hash: block.hash,
    confirmations: index.confirmations(block),
    height: block.height,
    version: header.version,
    versionHex: hex(header.version >>> 0, 8),
    merkleroot: toHex(reversed(header.merkleRoot)),
    time: header.time,
    mediantime: block.medianTime,
    nonce: header.nonce,
    ...targetJson(header.bits),
    difficulty: DIFFICULTY,
    chainwork: workJson(index.work(block)),
    nTx: txs.length,
    ...(block.height > 0 && { previousblockhash: header.previous }),
    ...(next && { nextblockhash: next.hash }),
  };
}

/** Bytes without witnesses: of the weight, each counts three times more than once. */
const strippedSize = (weight: number, size: number): number => (weight - size) / 3;

/** With txids where no `detail` of the transactions is asked for. */
export function blockJson(secp: Secp, index: BlockIndex, ledger: Ledger, block: IndexedBlock, detail?: Detail) {
  const size = serializeBlock(block.block).length;
  const weight = blockWeight(block.block);
  const { txs } = block.block;
  return {
    ...headerJson(index, ledger, block),
    strippedsize: strippedSize(weight, size),
    size,
    weight,
    tx: detail ? txs.map((tx, i) => txJson(secp, tx, block.spent?.[i], detail)) : txs.map(txidOf),
  };
}
