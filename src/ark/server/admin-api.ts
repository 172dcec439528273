/** The operator's calls (`/v1/admin`), on a port of their own behind a bearer token. */
import { parseOutpoint, toHex } from '../../base/bytes.ts';
import { formatBtc } from '../../base/units.ts';
import { addressOf } from '../../bitcoin/address.ts';
import { demand } from '../protocol/errors.ts';
import { AdminService } from '../wire/gen/ark/v1/admin_pb.ts';
import { WalletInitializerService, WalletService } from '../wire/gen/ark/v1/wallet_pb.ts';
import { amount, commaTexts, flag, requiredMessage, requiredText, texts, whole } from '../wire/request.ts';
import { printFees, printSession, printSettings, readFees } from '../wire/settings.ts';
import { isBoarding } from './batch-build.ts';
import type { ArkContext } from './context.ts';
import type { Door } from './door.ts';
import type { LiveSettings } from './live-settings.ts';
import { createNotes } from './notes.ts';
import { mountSignerApi } from './signer-api.ts';
import { type Batch, batchById, batchIds } from './store/batches.ts';
import { allIntents, deleteIntents, type StoredIntent } from './store/intents.ts';
import { vtxosSpentBy } from './store/vtxos.ts';

/** `door` asks for the operator's token. */
export function mountAdminApi(door: Door, ctx: ArkContext, settings: LiveSettings): void {
  const { db, wallet } = ctx;

  mountSignerApi(door, ctx.signers);

  door.serve(WalletInitializerService, {
    getStatus: () => ({ initialized: true, unlocked: true, synced: true }),
  });
  door.serve(WalletService, {
    deriveAddress: () => ({ address: wallet.address }),
    async getBalance() {
      const { available, locked } = await wallet.balance();
      return {
        mainAccount: { locked: formatBtc(locked), available: formatBtc(available) },
        connectorsAccount: { locked: formatBtc(0n), available: formatBtc(0n) },
      };
    },
  });

  door.serve(AdminService, {
    async getMainAccountUtxos() {
      const [utxos, tip] = await Promise.all([wallet.utxos(), ctx.chain.tip()]);
      return {
        utxos: utxos.map(({ outpoint, value, script, confirmation, locked }) => ({
          ...outpoint,
          value: `${value}`,
          script: toHex(script),
          address: wallet.address,
          confirmations: confirmation ? tip.height - confirmation.height + 1 : 0,
          locked,
        })),
      };
    },

    async createNote(request) {
      const [value, quantity] = [amount(request.amount, 'amount'), whole(request.quantity, 'quantity', 1)];
      return { notes: await createNotes(ctx, value, quantity) };
    },

    async listIntents(request) {
      const ids = commaTexts(request, 'intentIds');
      const intents = (await allIntents(db)).filter((stored) => ids.length === 0 || ids.includes(stored.id));
      return { intents: intents.map((stored) => printIntent(ctx, stored)) };
    },
    async deleteIntents(request) {
      const ids = texts(request, 'intentIds');
      const queued = (await allIntents(db)).filter(
        ({ id, batchId }) => !batchId && (ids.length === 0 || ids.includes(id)),
      );
      demand(queued.length > 0 || ids.length === 0, 'INTENT_NOT_FOUND', 'no queued intent has such an id');
      await db.write((tx) =>
        deleteIntents(
          tx,
          queued.map(({ id }) => id),
        ),
      );
      return {};
    },

    getIntentFees: () => ({ fees: printFees(settings.usual().intentFee) }),
    async updateIntentFees(request) {
      const fees = requiredMessage(request, 'fees');
      await settings.updateFees((before) => readFees(fees, before));
      return {};
    },
    async clearIntentFees() {
      await settings.updateFees(() => readFees({}));
      return {};
    },

    getSettings: () => ({ settings: printSettings(settings.usual(), settings.updatedAt()) }),
    updateSettings: async (request) => ({ changeLog: await settings.update(requiredMessage(request, 'settings')) }),

    getScheduledSessionConfig() {
      const session = settings.session();
      return { config: session ? printSession(session) : null };
    },
    async updateScheduledSessionConfig(request) {
      await settings.schedule(requiredMessage(request, 'config'));
      return {};
    },
    async clearScheduledSessionConfig() {
      await settings.clearSchedule();
      return {};
    },

    async getRounds(request) {
      const rounds = await batchIds(db, {
        after: whole(request.after, 'after'),
        before: whole(request.before, 'before'),
        withFailed: flag(request, 'withFailed'),
        withCompleted: flag(request, 'withCompleted', true),
      });
      return { rounds };
    },
    async getRoundDetails(request) {
      const id = requiredText(request, 'roundId');
      const batch = await batchById(db, id);
      demand(batch, 'TX_NOT_FOUND', `round ${id} not found`);
      return printRound(ctx, batch);
    },
  });
}

function printIntent(ctx: ArkContext, { id, createdAt, intent, message: text, proof }: StoredIntent) {
  const input = ({ outpoint, amount: value }: StoredIntent['intent']['inputs'][number]) => {
    const { txid, vout } = parseOutpoint(outpoint);
    return { txid, vout, amount: `${value}` };
  };
  return {
    id,
    createdAt: `${Math.floor(createdAt / 1000)}`,
    receivers: [
      ...intent.receivers.map(({ value, script }) => ({ vtxoScript: toHex(script), amount: `${value}` })),
      ...intent.onchain.map(({ value, script }) => ({
        onchainAddress: addressOf(ctx.chain.network, script) ?? '',
        amount: `${value}`,
      })),
    ],
    inputs: intent.inputs.filter((item) => !isBoarding(item)).map(input),
    boardingInputs: intent.inputs.filter(isBoarding).map(input),
    cosignersPublicKeys: intent.cosigners,
    intent: { proof, message: text },
  };
}

async function printRound(ctx: ArkContext, { id, startedAt, endedAt, commitmentTxid, summary, outputs }: Batch) {
  const spent = commitmentTxid ? await vtxosSpentBy(ctx.db, 'settled_by', commitmentTxid) : [];
  return {
    roundId: id,
    startedAt: `${startedAt}`,
    endedAt: `${endedAt}`,
    commitmentTxid: commitmentTxid ?? '',
    forfeitedAmount: `${summary.forfeitedAmount}`,
    totalVtxosAmount: `${summary.vtxoAmount}`,
    totalExitAmount: `${summary.exitAmount}`,
    totalFeeAmount: `${summary.feeAmount}`,
    inputsVtxos: spent.map((vtxo) => vtxo.outpoint),
    outputsVtxos: outputs.map(({ txid, vout }) => `${txid}:${vout}`),
    exitAddresses: summary.exitAddresses,
  };
}
