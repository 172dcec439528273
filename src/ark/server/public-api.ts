/** The ArkService calls (`/v1/info`, `/v1/batch`, `/v1/tx`, `/v1/txs`). */
import type { Context } from 'hono';
import { openStream } from '../../runtime/sse.ts';
import { heartbeat, streamStarted } from '../wire/batch-events.ts';
import { checkClient } from '../wire/client-headers.ts';
import { type Fields, malformed, message, requiredText, text, textMap, texts } from '../wire/request.ts';
import { ARK_ROUTES } from '../wire/routes.ts';
import { txNotification } from '../wire/vtxo.ts';
import type { BatchRunner } from './batch-runner.ts';
import type { ArkContext } from './context.ts';
import { bodyOf, type Door } from './door.ts';
import type { EventHub } from './event-hub.ts';
import type { Notifier } from './notifier.ts';
import type { OffchainService } from './offchain.ts';
import type { Registration } from './registration.ts';

const MAX_TOPICS = 1_000;

export interface PublicApiParts {
  readonly ctx: ArkContext;
  readonly registration: Registration;
  readonly batches: BatchRunner;
  readonly offchain: OffchainService;
  readonly hub: EventHub;
  readonly notifier: Notifier;
  readonly info: () => { readonly digest: string };
}

export function mountPublicApi(door: Door, parts: PublicApiParts): void {
  const { ctx, registration, batches, offchain, hub, notifier, info } = parts;
  const open = (c: Context) => {
    const { heartbeatInterval } = ctx.settings();
    return openStream(c, { heartbeat, intervalMs: heartbeatInterval * 1000, clock: ctx.clock });
  };
  const intentOf = (fields: Fields): [proof: string, message: string] => {
    const intent = message(fields, 'intent');
    return [requiredText(intent, 'proof'), requiredText(intent, 'message')];
  };

  /** Browsers cannot say anything beside opening a stream. */
  const check = (c: Context, silent = false): void =>
    checkClient((name) => c.req.header(name), ctx.settings(), info().digest, silent);
  const checkedBody = (c: Context): Promise<Fields> => {
    check(c);
    return bodyOf(c);
  };

  door.on(ARK_ROUTES.getInfo, info);

  door.on(ARK_ROUTES.registerIntent, async (c) => ({
    intentId: await registration.register(...intentOf(await checkedBody(c))),
  }));
  door.on(ARK_ROUTES.estimateFee, async (c) => ({
    fee: `${await registration.estimateFee(...intentOf(await checkedBody(c)))}`,
  }));
  door.on(ARK_ROUTES.deleteIntent, async (c) => {
    await registration.remove(...intentOf(await checkedBody(c)));
    return {};
  });
  door.on(ARK_ROUTES.confirmRegistration, async (c) => {
    await batches.acknowledge(requiredText(await checkedBody(c), 'intentId'));
    return {};
  });
  door.on(ARK_ROUTES.submitTreeNonces, async (c) => {
    const body = await checkedBody(c);
    await batches.submitNonces(requiredText(body, 'batchId'), cosignerOf(body), textMap(body, 'treeNonces'));
    return {};
  });
  door.on(ARK_ROUTES.submitTreeSignatures, async (c) => {
    const body = await checkedBody(c);
    await batches.submitSignatures(requiredText(body, 'batchId'), cosignerOf(body), textMap(body, 'treeSignatures'));
    return {};
  });
  door.on(ARK_ROUTES.submitForfeitTxs, async (c) => {
    const body = await checkedBody(c);
    await batches.submitForfeits(texts(body, 'signedForfeitTxs'), text(body, 'signedCommitmentTx') || undefined);
    return {};
  });

  door.on(ARK_ROUTES.batchEvents, (c) => {
    check(c, true);
    const topics = new Set(c.req.queries('topics') ?? []);
    if (topics.size > MAX_TOPICS) throw malformed(`at most ${MAX_TOPICS} topics`);
    const id = ctx.newId();
    const { response, closed, send } = open(c);
    send(streamStarted(id));
    const remove = hub.add({ id, topics, send });
    void closed.then(remove);
    const missed = batches.missedBy(topics);
    if (missed) send(missed);
    return response;
  });
  door.on(ARK_ROUTES.updateTopics, async (c) => {
    const body = await checkedBody(c);
    const id = requiredText(body, 'streamId');
    const [modify, overwrite] = [message(body, 'modify'), message(body, 'overwrite')];
    const [add, remove] = [texts(modify, 'addTopics'), texts(modify, 'removeTopics')];
    const change = (topics: ReadonlySet<string>) =>
      body.overwrite ? texts(overwrite, 'topics') : [...topics, ...add].filter((topic) => !remove.includes(topic));
    const topics = hub.setTopics(id, change, MAX_TOPICS);
    if (!topics) throw malformed(`no stream ${id}, or more than ${MAX_TOPICS} topics`);
    return { topicsAdded: add, topicsRemoved: remove, allTopics: [...topics] };
  });

  door.on(ARK_ROUTES.submitTx, async (c) => {
    const body = await checkedBody(c);
    return offchain.submit(text(body, 'signedArkTx'), texts(body, 'checkpointTxs'));
  });
  door.on(ARK_ROUTES.finalizeTx, async (c) => {
    const body = await checkedBody(c);
    await offchain.finalize(requiredText(body, 'arkTxid'), texts(body, 'finalCheckpointTxs'));
    return {};
  });
  door.on(ARK_ROUTES.pendingTxs, async (c) => ({
    pendingTxs: await offchain.pending(...intentOf(await checkedBody(c))),
  }));
  door.on(ARK_ROUTES.txs, (c) => {
    check(c, true);
    const { response, closed, send } = open(c);
    void closed.then(notifier.subscribe((change) => send(txNotification(change))));
    return response;
  });
}

const cosignerOf = (body: Fields): string => requiredText(body, 'pubkey').toLowerCase();
