/**
 * Pays more for a commitment transaction that no block takes, through its change: a child of ours, replaced by a dearer
 * one when that is not enough, never where a later batch builds on it.
 */
import { equal, type Txid } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { sumSats } from '../../base/units.ts';
import { type Tx, txIn, txidOf, vsizeOf } from '../../bitcoin/tx.ts';
import { COMMITMENT_VERSION } from '../protocol/commitment.ts';
import type { ArkContext } from './context.ts';
import type { Price, Secured } from './fee-bumper.ts';

export interface CommitmentFees {
  /** Brings the fee of `commitment`, and of those unconfirmed that stand on it, up to the price. */
  speedUp(commitment: Tx, price: Price): Promise<Secured>;
}

const MAX_CHAIN = 25;
const KEY_PATH_SIGNATURE = 65;

export function createCommitmentFees({ chain, wallet, settings, newId, log }: ArkContext): CommitmentFees {
  async function feeOf(tx: Tx): Promise<bigint> {
    const spent = await Promise.all(tx.inputs.map(({ prevout }) => chain.output(prevout)));
    return sumSats(spent.map((output) => output?.value ?? 0n)) - sumSats(tx.outputs.map(({ value }) => value));
  }

  /** Where the change of a transaction of ours is. */
  function changeOf(tx: Tx) {
    const vout = tx.outputs.findLastIndex(({ script }) => equal(script, wallet.script));
    return vout < 0 ? undefined : { outpoint: { txid: txidOf(tx), vout }, output: tx.outputs[vout]! };
  }

  async function spenderOf(outpoint: { readonly txid: Txid; readonly vout: number }): Promise<Tx | undefined> {
    const by = (await chain.output(outpoint))?.spentBy;
    return by && (await chain.transaction(by.txid))?.tx;
  }

  const isPayment = (tx: Tx): boolean => tx.inputs.length === 1 && tx.outputs.length === 1;

  /** The transactions from `commitment` to the one whose change is free, or spent by nothing but a payment of ours. */
  async function chainFrom(commitment: Tx) {
    const stuck = [commitment];
    for (let last = commitment; stuck.length < MAX_CHAIN; ) {
      const change = changeOf(last);
      if (!change) return undefined;
      const by = await spenderOf(change.outpoint);
      const payment = by && isPayment(by) ? changeOf(by) : undefined;
      const isFree = !by || (payment && !(await spenderOf(payment.outpoint)));
      if (isFree) return { stuck, change, rival: by };
      stuck.push(by);
      last = by;
    }
    return undefined;
  }

  async function speedUp(commitment: Tx, price: Price): Promise<Secured> {
    const known = await chain.transaction(txidOf(commitment));
    if (known?.confirmation) return 'confirmed';
    const found = await chainFrom(commitment);
    if (!found) return 'no-coin';
    const { stuck, change, rival } = found;
    const draft = (value: bigint): Tx => ({
      version: COMMITMENT_VERSION,
      inputs: [txIn(change.outpoint)],
      outputs: [{ value, script: wallet.script }],
      locktime: 0,
    });
    const blank = { ...txIn(change.outpoint), witness: [new Uint8Array(KEY_PATH_SIGNATURE)] };
    const size = vsizeOf({ ...draft(0n), inputs: [blank] });
    const due = price(stuck.reduce((sum, tx) => sum + vsizeOf(tx), size));
    if (due === undefined) return 'too-dear';
    const missing = due - sumSats(await Promise.all(stuck.map(feeOf)));
    const paid = rival ? await feeOf(rival) : 0n;
    if (missing <= paid) return known ? 'paid' : 'refused';
    // BIP125 rule 4.
    const fee = missing > paid + BigInt(size) ? missing : paid + BigInt(size);
    const value = change.output.value - fee;
    if (value < settings().dust) return 'too-dear';
    const owner = newId();
    const wanted = [change, ...(rival ? [changeOf(rival)!] : [])];
    if (!wallet.reserve(wanted, owner)) return 'no-coin';
    try {
      const unsigned = draft(value);
      const witness = [wallet.sign(unsigned, 0, [change.output])];
      const child = { ...unsigned, inputs: unsigned.inputs.map((input) => ({ ...input, witness })) };
      await (known ? chain.broadcast(child) : chain.broadcastPackage(commitment, child));
      log.info({ commitmentTxid: txidOf(commitment), fee: `${fee}` }, 'paid more for a commitment transaction');
      return 'paid';
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      log.warn({ err: error }, 'could not pay more for a commitment transaction');
      return 'refused';
    } finally {
      wallet.release(owner);
    }
  }

  return { speedUp };
}
