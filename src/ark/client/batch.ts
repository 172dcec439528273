/** Registers an intent and sees it through to the end of a batch. */
import { outpointKey } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { requiredText } from '../wire/request.ts';
import { ARK_ROUTES } from '../wire/routes.ts';
import { type Account, type Coin, signedIntent } from './account.ts';
import { messageOf, proofOutputs } from './batch-order.ts';
import { type BatchOrder, type BatchOutcome, createBatchSession } from './batch-session.ts';
import { type ArkClient, post } from './client.ts';
import { type ClientErrorCode, reading } from './errors.ts';
import type { CosignerKey } from './tree-cosigning.ts';
import { createCosignerKey } from './tree-cosigning.ts';

/** Queues an intent; returns its id. */
export async function registerIntent(
  client: ArkClient,
  account: Account,
  order: BatchOrder,
  cosigner: CosignerKey,
): Promise<string> {
  const intent = signedIntent(client, account, messageOf(order, cosigner.id), order.coins, proofOutputs(order));
  const answer = await post(client, { route: ARK_ROUTES.registerIntent, body: { intent } });
  return reading(() => requiredText(answer, 'intentId'));
}

/** Takes every queued intent over one of `coins` back. */
export async function deleteIntent(client: ArkClient, account: Account, coins: readonly Coin[]): Promise<void> {
  const intent = signedIntent(client, account, { type: 'delete', expireAt: 0 }, coins);
  await post(client, { route: ARK_ROUTES.deleteIntent, body: { intent } });
}

/**
 * Settles `order` in a batch, waiting for as many batches as the server lets it try. Throws the server's refusals by
 * their code, a `ClientError` when the server lies, and `STREAM_ENDED` when it hangs up or `signal` aborts. `keep` is
 * handed what the owner will have before it gives anything up for it; what is kept once it resolves survives a crash.
 */
export async function settle(
  client: ArkClient,
  account: Account,
  order: BatchOrder,
  signal?: AbortSignal,
  keep: (signed: BatchOutcome) => Promise<void> = async () => {},
): Promise<BatchOutcome> {
  const cosigner = createCosignerKey(client.secp, client.random);
  const topics = [cosigner.id, ...order.coins.map(({ outpoint }) => outpointKey(outpoint))];
  const stream = await client.transport.open({ route: ARK_ROUTES.batchEvents, query: { topics } });
  signal?.addEventListener('abort', stream.close);
  try {
    const intentId = await registerIntent(client, account, order, cosigner);
    const session = createBatchSession({ client, account, order, intentId, cosigner });
    for await (const message of stream) {
      const before = session.signed();
      const calls = session.receive(message);
      const signed = session.signed();
      if (signed && signed !== before) await keep(signed);
      for (const call of calls) await post(client, call);
      const outcome = session.outcome();
      if (outcome) return outcome;
    }
    throw new ProtocolError<ClientErrorCode>('STREAM_ENDED', 'the stream of batch events ended');
  } finally {
    signal?.removeEventListener('abort', stream.close);
    stream.close();
  }
}
