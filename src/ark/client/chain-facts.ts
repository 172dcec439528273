/** What the chain has of a lineage: its commitments, how far it was put on chain already, and who stands in the way. */
import { type Outpoint, type OutpointKey, outpointKey, type Txid } from '../../base/bytes.ts';
import { type Tx, type TxOut, txidOf } from '../../bitcoin/tx.ts';
import type { ChainSource, SourceSpend, SourceTip, SourceTx } from './chain-source.ts';

/** A transaction that spends what belongs to the lineage, and is none of it. */
export interface Rival extends SourceSpend {
  readonly outpoint: OutpointKey;
  readonly tx: Tx | undefined;
  /** What it spends, as far as the chain knows. */
  readonly prevouts: readonly (TxOut | undefined)[];
}

export interface ChainFacts {
  readonly tip: SourceTip;
  readonly commitments: ReadonlyMap<Txid, SourceTx>;
  /** Transactions of the lineage that are on chain or in the mempool. */
  readonly onchain: ReadonlyMap<Txid, SourceSpend>;
  readonly rivals: readonly Rival[];
}

export async function commitmentsOf(
  chain: Pick<ChainSource, 'transaction'>,
  txids: readonly Txid[],
): Promise<ReadonlyMap<Txid, SourceTx>> {
  const found = new Map<Txid, SourceTx>();
  for (const txid of txids) {
    const tx = await chain.transaction(txid);
    if (tx) found.set(txid, tx);
  }
  return found;
}

/** Follows `txs`, parents before children, from the commitments as far as the chain has them. */
export async function chainFacts(
  chain: Pick<ChainSource, 'tip' | 'transaction' | 'spender'>,
  commitments: ReadonlyMap<Txid, SourceTx>,
  txs: readonly Tx[],
  vtxo: Outpoint,
): Promise<ChainFacts> {
  const onchain = new Map<Txid, SourceSpend>();
  const rivals: Rival[] = [];
  const isThere = ({ txid }: Outpoint): boolean => onchain.has(txid) || commitments.has(txid);
  for (const tx of txs) {
    for (const { prevout } of tx.inputs.every((input) => isThere(input.prevout)) ? tx.inputs : []) {
      const spend = await chain.spender(prevout);
      if (spend?.txid === txidOf(tx)) onchain.set(spend.txid, spend);
      else if (spend) rivals.push(await rivalOf(chain, prevout, spend));
    }
  }
  const claim = onchain.has(vtxo.txid) ? await chain.spender(vtxo) : undefined;
  if (claim) rivals.push(await rivalOf(chain, vtxo, claim));
  return { tip: await chain.tip(), commitments, onchain, rivals };
}

async function rivalOf(
  chain: Pick<ChainSource, 'transaction'>,
  outpoint: Outpoint,
  spend: SourceSpend,
): Promise<Rival> {
  const tx = (await chain.transaction(spend.txid))?.tx;
  const prevouts: (TxOut | undefined)[] = [];
  for (const { prevout } of tx?.inputs ?? []) {
    prevouts.push((await chain.transaction(prevout.txid))?.tx.outputs[prevout.vout]);
  }
  return { ...spend, outpoint: outpointKey(outpoint), tx, prevouts };
}
