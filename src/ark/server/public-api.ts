/** The ArkService calls (`/v1/info`, `/v1/batch`, `/v1/tx`, `/v1/txs`). */
import { demand } from '../protocol/errors.ts';
import { streamStarted } from '../wire/batch-events.ts';
import { checkClient } from '../wire/client-headers.ts';
import { ArkService } from '../wire/gen/ark/v1/service_pb.ts';
import type { InfoAnswer } from '../wire/info.ts';
import { type Fields, malformed, message, requiredText, text, textMap, texts, txid } from '../wire/request.ts';
import { txNotification } from '../wire/vtxo.ts';
import type { BatchRunner } from './batch-runner.ts';
import type { Guard } from './call.ts';
import type { ArkContext } from './context.ts';
import type { Door } from './door.ts';
import { createEventHub, type EventHub } from './event-hub.ts';
import type { Notifier } from './notifier.ts';
import type { OffchainService } from './offchain.ts';
import type { Registration } from './registration.ts';
import { intentByTxid, type StoredIntent } from './store/intents.ts';

const MAX_TOPICS = 1_000;

export interface PublicApiParts {
  readonly ctx: ArkContext;
  readonly registration: Registration;
  readonly batches: BatchRunner;
  readonly offchain: OffchainService;
  readonly hub: EventHub;
  /** What strangers may see of what changes. */
  readonly changes: Notifier;
  readonly info: () => InfoAnswer;
}

export function mountPublicApi(door: Door, parts: PublicApiParts): void {
  const { ctx, registration, batches, offchain, hub, changes, info } = parts;

  const txStreams = createEventHub();
  changes.subscribe((change) => {
    if (txStreams.size > 0) txStreams.publish(txNotification(change));
  });

  /** Browsers cannot say anything beside opening a stream. */
  const guard: Guard = ({ method, header }) => {
    if (method === ArkService.method.getInfo) return;
    checkClient(header, ctx.settings(), info().digest, method.methodKind !== 'unary');
  };

  door.serve(
    ArkService,
    {
      getInfo: info,

      registerIntent: async (request) => ({ intentId: await registration.register(...intentOf(request)) }),
      estimateIntentFee: async (request) => ({ fee: `${await registration.estimateFee(...intentOf(request))}` }),
      async deleteIntent(request) {
        await registration.remove(...intentOf(request));
        return {};
      },
      async getIntent(request) {
        const id = text(request, 'txid');
        if (id === '')
          return { intent: null, intents: (await registration.find(...intentOf(request))).map(printIntent) };
        const stored = await intentByTxid(ctx.db, txid(id));
        demand(stored, 'INTENT_NOT_FOUND', `intent with txid ${id} not found`);
        return { intent: printIntent(stored), intents: [printIntent(stored)] };
      },
      async confirmRegistration(request) {
        await batches.acknowledge(requiredText(request, 'intentId'));
        return {};
      },
      async submitTreeNonces(request) {
        const nonces = textMap(request, 'treeNonces');
        await batches.submitNonces(requiredText(request, 'batchId'), cosignerOf(request), nonces);
        return {};
      },
      async submitTreeSignatures(request) {
        const signatures = textMap(request, 'treeSignatures');
        await batches.submitSignatures(requiredText(request, 'batchId'), cosignerOf(request), signatures);
        return {};
      },
      async submitSignedForfeitTxs(request) {
        const commitment = text(request, 'signedCommitmentTx') || undefined;
        await batches.submitForfeits(texts(request, 'signedForfeitTxs'), commitment);
        return {};
      },

      getEventStream(request, { open }) {
        const topics = new Set(texts(request, 'topics'));
        if (topics.size > MAX_TOPICS) throw malformed(`at most ${MAX_TOPICS} topics`);
        const id = ctx.newId();
        const { closed, send } = open();
        send(streamStarted(id));
        void closed.then(hub.add({ id, topics, send }));
        const missed = batches.missedBy(id, topics);
        if (missed) send(missed);
      },
      updateStreamTopics(request) {
        const id = requiredText(request, 'streamId');
        const [modify, overwrite] = [message(request, 'modify'), message(request, 'overwrite')];
        const [add, remove] = [texts(modify, 'addTopics'), texts(modify, 'removeTopics')];
        const change = (topics: ReadonlySet<string>) =>
          request.overwrite ? texts(overwrite, 'topics') : [...topics, ...add].filter((each) => !remove.includes(each));
        const topics = hub.setTopics(id, change, MAX_TOPICS);
        if (!topics) throw malformed(`no stream ${id}, or more than ${MAX_TOPICS} topics`);
        return { topicsAdded: add, topicsRemoved: remove, allTopics: [...topics] };
      },

      submitTx: (request) => offchain.submit(text(request, 'signedArkTx'), texts(request, 'checkpointTxs')),
      async finalizeTx(request) {
        await offchain.finalize(requiredText(request, 'arkTxid'), texts(request, 'finalCheckpointTxs'));
        return {};
      },
      getPendingTx: async (request) => ({ pendingTxs: await offchain.pending(...intentOf(request)) }),
      getTransactionsStream(_, { open }) {
        const { closed, send } = open();
        void closed.then(txStreams.add({ id: ctx.newId(), topics: new Set(), send }));
      },
    },
    guard,
  );
}

function intentOf(request: Fields): [proof: string, message: string] {
  const intent = message(request, 'intent');
  return [requiredText(intent, 'proof'), requiredText(intent, 'message')];
}

const printIntent = ({ proof, message }: StoredIntent) => ({ proof, message });

const cosignerOf = (request: Fields): string => requiredText(request, 'pubkey').toLowerCase();
