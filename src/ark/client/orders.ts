/** Orders that every owner makes: all into one VTXO again, or a part of it out to the chain together with the server. */
import { parseSats, sumSats } from '../../base/units.ts';
import type { TxOut } from '../../bitcoin/tx.ts';
import { requiredText } from '../wire/request.ts';
import { ARK_ROUTES } from '../wire/routes.ts';
import { type Account, type Coin, signedIntent } from './account.ts';
import { messageOf, proofOutputs } from './batch-order.ts';
import type { BatchOrder } from './batch-session.ts';
import { type ArkClient, post } from './client.ts';
import { insist, reading } from './errors.ts';
import { createCosignerKey } from './tree-cosigning.ts';

/** What the server asks for an intent like this, in satoshi. Throws the server's refusals. */
export async function estimateFee(client: ArkClient, account: Account, order: BatchOrder): Promise<bigint> {
  const cosigner = createCosignerKey(client.secp, client.random);
  const message = { ...messageOf(order, cosigner.id), type: 'estimate-intent-fee' } as const;
  const intent = signedIntent(client, account, message, order.coins, proofOutputs(order));
  const answer = await post(client, { route: ARK_ROUTES.estimateFee, body: { intent } });
  return reading(() => parseSats(requiredText(answer, 'fee')));
}

const worth = (coins: readonly Coin[]): bigint => sumSats(coins.map(({ amount }) => amount));
const own = ({ vtxo }: Account, value: bigint): TxOut => ({ value, script: vtxo.script });

/** Everything into one new VTXO of the account, less the server's fee; `undefined` when less than dust would be left. */
export async function renewalOrder(
  client: ArkClient,
  account: Account,
  coins: readonly Coin[],
): Promise<BatchOrder | undefined> {
  const draft = { coins, receivers: [own(account, worth(coins))], onchain: [] };
  const value = worth(coins) - (await estimateFee(client, account, draft));
  return value >= client.terms.dust ? { ...draft, receivers: [own(account, value)] } : undefined;
}

/**
 * A collaborative exit: `output` on chain, the rest into a VTXO of the account again. Change below dust is left to the
 * server. Throws `COINS_INSUFFICIENT`.
 */
export async function leavingOrder(
  client: ArkClient,
  account: Account,
  coins: readonly Coin[],
  output: TxOut,
): Promise<BatchOrder> {
  const { dust } = client.terms;
  const rest = worth(coins) - output.value;
  const drafts = [...(rest >= dust ? [[own(account, rest)]] : []), []];
  for (const receivers of rest < 0n ? [] : drafts) {
    const draft = { coins, receivers, onchain: [output] };
    const change = rest - (await estimateFee(client, account, draft));
    if (receivers.length > 0 && change >= dust) return { ...draft, receivers: [own(account, change)] };
    if (receivers.length === 0 && change >= 0n) return draft;
  }
  insist(false, 'COINS_INSUFFICIENT', `${worth(coins)} sat do not pay ${output.value} and the fee`);
}
