/** Consensus on what a transaction spends, the same for a block and for the mempool. */
import { MAX_MONEY } from '../../base/units.ts';
import {
  CONSENSUS_FLAGS,
  type ScriptFlags,
  STANDARD_FLAGS,
  verifyInput,
  withFlags,
} from '../../bitcoin/interpreter/verify.ts';
import type { Tx } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { Coin, CoinView } from './coin.ts';
import { COINBASE_MATURITY } from './params.ts';
import { check } from './rejection.ts';

/** The coins that `tx` spends, in order. */
export function coinsOf(tx: Tx, view: CoinView): readonly Coin[] {
  return tx.inputs.map((input) => {
    const coin = view(input.prevout);
    check(coin !== undefined, 'bad-txns-inputs-missingorspent');
    return coin;
  });
}

const isMoney = (amount: bigint): boolean => amount >= 0n && amount <= MAX_MONEY;

/** The fee that `tx` pays in a block at `height`, in satoshi. */
export function feeOf(tx: Tx, coins: readonly Coin[], height: number): bigint {
  let paidIn = 0n;
  for (const coin of coins) {
    const depth = height - coin.height;
    check(
      !coin.isCoinbase || depth >= COINBASE_MATURITY,
      'bad-txns-premature-spend-of-coinbase',
      `tried to spend coinbase at depth ${depth}`,
    );
    paidIn += coin.value;
    check(isMoney(coin.value) && isMoney(paidIn), 'bad-txns-inputvalues-outofrange');
  }
  let paidOut = 0n;
  for (const output of tx.outputs) paidOut += output.value;
  check(paidIn >= paidOut, 'bad-txns-in-belowout', `value in (${paidIn}) < value out (${paidOut})`);
  check(isMoney(paidIn - paidOut), 'bad-txns-fee-outofrange');
  return paidIn - paidOut;
}

/** What scripts must obey in blocks, and what they must besides to be relayed. */
export interface ScriptRules {
  readonly consensus: ScriptFlags;
  readonly standard: ScriptFlags;
}

/** The rules of every public network, or as they would be with OP_CHECKTEMPLATEVERIFY. */
export function scriptRules(bip119: boolean): ScriptRules {
  const rule = (flags: ScriptFlags): ScriptFlags => (bip119 ? withFlags(flags, 'CHECKTEMPLATEVERIFY') : flags);
  return { consensus: rule(CONSENSUS_FLAGS), standard: rule(STANDARD_FLAGS) };
}

/** The first script error of any input under `flags`, as `NAME at input n`. */
export function scriptFailure(secp: Secp, tx: Tx, coins: readonly Coin[], flags: ScriptFlags): string | undefined {
  for (let index = 0; index < tx.inputs.length; index++) {
    const error = verifyInput(secp, tx, index, coins, flags);
    if (error) return `${error} at input ${index}`;
  }
  return undefined;
}
