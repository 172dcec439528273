/** Tells when something happened to an account: by the server's stream while it holds, by the caller's clock while not. */
import { toHex } from '../../base/bytes.ts';
import { requiredText } from '../wire/request.ts';
import { INDEXER_ROUTES } from '../wire/routes.ts';
import type { Account } from './account.ts';
import type { ArkClient } from './client.ts';
import { reading } from './errors.ts';
import type { MessageStream } from './transport.ts';

async function follow({ transport }: Pick<ArkClient, 'transport'>, { vtxo }: Account): Promise<MessageStream> {
  const body = { scripts: [toHex(vtxo.script)] };
  const answer = await transport.call({ route: INDEXER_ROUTES.subscribe, body });
  const id = reading(() => requiredText(answer, 'subscriptionId'));
  return transport.open({ route: INDEXER_ROUTES.subscription, params: { id } });
}

/**
 * Yields whenever it is worth asking for the account's VTXOs: at once, at every message about them, and each time
 * `pause` returns while there is no stream. Ends when the caller stops listening or `signal` aborts.
 */
export async function* arrivals(
  client: Pick<ArkClient, 'transport'>,
  account: Account,
  pause: () => Promise<void>,
  signal?: AbortSignal,
): AsyncGenerator<void> {
  while (!signal?.aborted) {
    const stream = await follow(client, account).catch(() => undefined);
    const close = (): void => stream?.close();
    signal?.addEventListener('abort', close);
    try {
      // What came before the stream stood has been missed.
      yield;
      if (stream) for await (const message of stream) if (message.event) yield;
    } catch {
      // A stream that breaks is as good as one that ends.
    } finally {
      signal?.removeEventListener('abort', close);
      close();
    }
    if (!signal?.aborted) await pause();
  }
}
