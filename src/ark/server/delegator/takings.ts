/**
 * What the delegator has earned: VTXOs like any other, which would be swept. They leave together for the operator's
 * wallet in a batch, when they have become worth it or their end is near.
 */
import type { Bytes } from '../../../base/bytes.ts';
import { ProtocolError } from '../../../base/errors.ts';
import { sumSats, unixSeconds } from '../../../base/units.ts';
import { type Account, type Coin, coinOf, createAccount } from '../../client/account.ts';
import { settle } from '../../client/batch.ts';
import type { ArkClient } from '../../client/client.ts';
import { vtxosOf } from '../../client/vtxos.ts';
import { secondsUntil } from '../../protocol/expiry.ts';
import { type DelegatorParts, nowSeconds } from './parts.ts';

const WORTH_IT = 100_000n;
const END_IS_NEAR_SECONDS = 86_400;

/** Where fees may have been paid to: with each rotation of the server's key the address is another. */
const accountsOf = ({ secp, terms }: ArkClient, secret: Bytes): Account[] =>
  terms.signers.map((signer) => createAccount(secp, { ...terms, signer }, secret));

/** Pays the takings out to `payoutScript` if it is time to; throws what the server refuses. */
export async function payOut(parts: DelegatorParts, client: ArkClient, signal: AbortSignal): Promise<void> {
  const { secret, payoutScript, log, chain } = parts;
  const accounts = accountsOf(client, secret);
  const tip = await chain.tip();
  const now = unixSeconds(nowSeconds(parts));
  const coins: Coin[] = [];
  let isUrgent = false;
  for (const account of accounts) {
    for (const vtxo of await vtxosOf(client, account, 'renewableOnly')) {
      coins.push(coinOf(account, vtxo.isSwept ? 'recoverable' : 'vtxo', vtxo.outpoint, vtxo.amount));
      isUrgent ||= vtxo.isSwept || secondsUntil(vtxo.expiresAt, tip, now) < END_IS_NEAR_SECONDS;
    }
  }
  const total = sumSats(coins.map(({ amount }) => amount));
  if (coins.length === 0 || (total < WORTH_IT && !isUrgent)) return;
  const order = (fee: bigint) => ({
    coins,
    receivers: [],
    onchain: [{ value: total - fee, script: payoutScript }],
  });
  const leave = (fee: bigint) => settle(client, accounts[0]!, order(fee), signal);
  const { commitmentTxid } = await leave(0n).catch((error) => leave(feeAskedBy(error)));
  log.info({ commitmentTxid, amount: `${total}` }, "the delegator's takings were paid out");
}

/** The server says what it asks for when it is not offered enough. */
function feeAskedBy(error: unknown): bigint {
  const fee =
    error instanceof ProtocolError && error.code === 'INTENT_INSUFFICIENT_FEE' ? error.data.min_fee : undefined;
  if (fee === undefined) throw error;
  return BigInt(fee);
}
