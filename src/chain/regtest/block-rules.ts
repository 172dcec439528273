/** Consensus on blocks: what may be connected to the tip. Refusals carry bitcoind's reasons. */
import { equal, type OutpointKey, outpointKey } from '../../base/bytes.ts';
import { sumSats } from '../../base/units.ts';
import {
  type Block,
  type BlockHeader,
  blockWeight,
  MAX_BLOCK_SIGOP_COST,
  MAX_BLOCK_WEIGHT,
} from '../../bitcoin/block.ts';
import { checkTx } from '../../bitcoin/check-tx.ts';
import { CONSENSUS_FLAGS } from '../../bitcoin/interpreter/verify.ts';
import { checkWitnessCommitment, txMerkleRoot } from '../../bitcoin/merkle.ts';
import { hasProofOfWork, REGTEST_BITS } from '../../bitcoin/proof-of-work.ts';
import { pushNumber } from '../../bitcoin/script.ts';
import { ownSigopCostOf, sigopCostOf } from '../../bitcoin/sigops.ts';
import { isCoinbase, serializeTx, type Tx, txidOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { type Coin, type CoinView, isUnspendable } from './coin.ts';
import type { Ledger } from './ledger.ts';
import { areSequenceLocksMet, isFinal } from './locks.ts';
import { MAX_FUTURE_SECONDS, MIN_BLOCK_VERSION, subsidyAt } from './params.ts';
import { check, reject, rejectFault } from './rejection.ts';
import { coinsOf, feeOf, type ScriptRules, scriptFailure } from './spending.ts';

export interface BlockContext {
  readonly secp: Secp;
  readonly rules: ScriptRules;
  readonly ledger: Ledger;
  /** Unix seconds. */
  readonly now: () => number;
  /** Transactions whose scripts have passed rules at least as strict as a block's. */
  readonly verified: WeakSet<Tx>;
}

/** BIP141: what a byte outside of witnesses weighs. */
const WITNESS_SCALE = 4;

/** On regtest the target never moves. */
export const checkBits = ({ bits }: BlockHeader): void => check(bits === REGTEST_BITS, 'bad-diffbits');

function checkHeader({ ledger, now }: BlockContext, { header }: Block): void {
  checkBits(header);
  check(header.time > ledger.medianTime, 'time-too-old');
  check(header.time <= now() + MAX_FUTURE_SECONDS, 'time-too-new');
  check(header.version >= MIN_BLOCK_VERSION, 'bad-version');
}

/** What holds of a block wherever it stands. Refuses by throwing `TxRejection`. */
export function checkAlone({ header, txs }: Block): void {
  check(hasProofOfWork(header), 'high-hash');
  const { root, isMutated } = txMerkleRoot(txs);
  check(txs.length === 0 || equal(root, header.merkleRoot), 'bad-txnmrklroot');
  // CVE-2012-2459: repeating transactions can leave the root as it is.
  check(!isMutated, 'bad-txns-duplicate');
  const strippedSize = txs.reduce((sum, tx) => sum + serializeTx(tx, 'stripped').length, 0);
  check(txs.length > 0 && strippedSize * WITNESS_SCALE <= MAX_BLOCK_WEIGHT, 'bad-blk-length');
  check(isCoinbase(txs[0]!), 'bad-cb-missing');
  check(!txs.slice(1).some(isCoinbase), 'bad-cb-multiple');
  for (const tx of txs) rejectFault(checkTx(tx));
  const sigopCost = txs.reduce((sum, tx) => sum + ownSigopCostOf(tx), 0);
  check(sigopCost <= MAX_BLOCK_SIGOP_COST, 'bad-blk-sigops');
}

/** BIP34. */
function checkHeight(coinbase: Tx, height: number): void {
  const expected = pushNumber(BigInt(height));
  const found = coinbase.inputs[0]!.scriptSig.subarray(0, expected.length);
  check(equal(expected, found), 'bad-cb-height');
}

/** The ledger's coins with what the block has done so far. */
class Overlay {
  readonly #ledger: Ledger;
  readonly #changes = new Map<OutpointKey, Coin | undefined>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  coin: CoinView = (outpoint) => {
    const key = outpointKey(outpoint);
    return this.#changes.has(key) ? this.#changes.get(key) : this.#ledger.coin(outpoint);
  };

  apply(tx: Tx, height: number): void {
    const txid = txidOf(tx);
    for (const input of tx.inputs) this.#changes.set(outpointKey(input.prevout), undefined);
    for (const [vout, output] of tx.outputs.entries()) {
      if (isUnspendable(output)) continue;
      this.#changes.set(outpointKey({ txid, vout }), { ...output, height, isCoinbase: isCoinbase(tx) });
    }
  }
}

/** Scripts come last, as in bitcoind: they cost the most. */
function checkSpends({ secp, rules, ledger, verified }: BlockContext, { txs }: Block): void {
  const height = ledger.height + 1;
  const overlay = new Overlay(ledger);
  const unverified: { readonly tx: Tx; readonly coins: readonly Coin[] }[] = [];
  let fees = 0n;
  let sigopCost = 0;
  for (const tx of txs) {
    const coins = isCoinbase(tx) ? [] : coinsOf(tx, overlay.coin);
    if (!isCoinbase(tx)) {
      fees += feeOf(tx, coins, height);
      check(areSequenceLocksMet(tx, coins, ledger), 'bad-txns-nonfinal');
      if (!verified.has(tx)) unverified.push({ tx, coins });
    }
    sigopCost += sigopCostOf(tx, coins, CONSENSUS_FLAGS);
    check(sigopCost <= MAX_BLOCK_SIGOP_COST, 'bad-blk-sigops');
    overlay.apply(tx, height);
  }
  const created = sumSats(txs[0]!.outputs.map(({ value }) => value));
  check(created <= subsidyAt(height) + fees, 'bad-cb-amount');
  for (const { tx, coins } of unverified) {
    const failure = scriptFailure(secp, tx, coins, rules.consensus);
    if (failure) reject('mandatory-script-verify-flag-failed', failure);
  }
}

/** Refuses, by throwing `TxRejection`, a block that must not be connected to the ledger's tip. */
export function checkBlock(context: BlockContext, block: Block): void {
  const { ledger } = context;
  checkAlone(block);
  checkHeader(context, block);
  check(
    block.txs.every((tx) => isFinal(tx, ledger)),
    'bad-txns-nonfinal',
  );
  checkHeight(block.txs[0]!, ledger.height + 1);
  rejectFault(checkWitnessCommitment(block.txs));
  check(blockWeight(block) <= MAX_BLOCK_WEIGHT, 'bad-blk-weight');
  // BIP30 needs no check of its own: heights make coinbases differ, and what spends them differs with them.
  checkSpends(context, block);
}
