/** The operator's calls (`/v1/admin`), on a port of their own behind a bearer token. */
import type { Context } from 'hono';
import { toHex } from '../../base/bytes.ts';
import { formatBtc } from '../../base/units.ts';
import { addressOf } from '../../bitcoin/address.ts';
import { isSameToken } from '../../runtime/token.ts';
import { demand } from '../protocol/errors.ts';
import { amount, requiredMessage, texts, whole } from '../wire/request.ts';
import { ADMIN_ROUTES } from '../wire/routes.ts';
import { printFees, printSession, printSettings, readFees } from '../wire/settings.ts';
import { isBoarding } from './batch-build.ts';
import type { ArkContext } from './context.ts';
import { bodyOf, type Door } from './door.ts';
import type { LiveSettings } from './live-settings.ts';
import { createNotes } from './notes.ts';
import { type Batch, batchById, batchIds } from './store/batches.ts';
import { allIntents, deleteIntents, type StoredIntent } from './store/intents.ts';
import { vtxosSpentBy } from './store/vtxos.ts';

const tokenOf = (c: Context): string =>
  c.req.header('authorization')?.replace(/^Bearer /i, '') ?? c.req.header('x-macaroon') ?? '';

export function mountAdminApi(door: Door, ctx: ArkContext, settings: LiveSettings, token: string): void {
  const { db, wallet } = ctx;
  door.app.use('/v1/*', async (c, next) => {
    if (isSameToken(tokenOf(c), token)) return next();
    return c.json({ code: 16, message: 'the admin token is missing or wrong', details: [] }, 401);
  });

  door.on(ADMIN_ROUTES.walletStatus, () => ({ initialized: true, unlocked: true, synced: true }));
  door.on(ADMIN_ROUTES.walletAddress, () => ({ address: wallet.address }));
  door.on(ADMIN_ROUTES.walletBalance, async () => {
    const { available, locked } = await wallet.balance();
    return {
      mainAccount: { locked: formatBtc(locked), available: formatBtc(available) },
      connectorsAccount: { locked: formatBtc(0n), available: formatBtc(0n) },
    };
  });
  door.on(ADMIN_ROUTES.walletUtxos, async () => {
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
  });

  door.on(ADMIN_ROUTES.createNote, async (c) => {
    const body = await bodyOf(c);
    return { notes: await createNotes(ctx, amount(body.amount, 'amount'), whole(body.quantity, 'quantity', 1)) };
  });

  door.on(ADMIN_ROUTES.intents, async (c) => {
    const ids = (c.req.queries('intentIds') ?? []).flatMap((list) => list.split(','));
    const intents = (await allIntents(db)).filter((stored) => ids.length === 0 || ids.includes(stored.id));
    return { intents: intents.map((stored) => printIntent(ctx, stored)) };
  });
  door.on(ADMIN_ROUTES.deleteIntents, async (c) => {
    const ids = texts(await bodyOf(c), 'intentIds');
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
  });

  door.on(ADMIN_ROUTES.intentFees, () => ({ fees: printFees(settings.usual().intentFee) }));
  door.on(ADMIN_ROUTES.updateIntentFees, async (c) => {
    const fees = requiredMessage(await bodyOf(c), 'fees');
    await settings.updateFees((before) => readFees(fees, before));
    return {};
  });
  door.on(ADMIN_ROUTES.clearIntentFees, async () => {
    await settings.updateFees(() => readFees({}));
    return {};
  });

  door.on(ADMIN_ROUTES.settings, () => ({ settings: printSettings(settings.usual(), settings.updatedAt()) }));
  door.on(ADMIN_ROUTES.updateSettings, async (c) => ({
    changeLog: await settings.update(requiredMessage(await bodyOf(c), 'settings')),
  }));

  door.on(ADMIN_ROUTES.scheduledSession, () => {
    const session = settings.session();
    return { config: session ? printSession(session) : null };
  });
  door.on(ADMIN_ROUTES.updateScheduledSession, async (c) => {
    await settings.schedule(requiredMessage(await bodyOf(c), 'config'));
    return {};
  });
  door.on(ADMIN_ROUTES.clearScheduledSession, async () => {
    await settings.clearSchedule();
    return {};
  });

  door.on(ADMIN_ROUTES.rounds, async (c) => {
    const flag = (name: string): boolean | undefined => {
      const value = c.req.query(name);
      return value === undefined ? undefined : value === 'true';
    };
    const [failed, completed] = [flag('withFailed'), flag('withCompleted')];
    const rounds = await batchIds(db, {
      after: whole(c.req.query('after'), 'after'),
      before: whole(c.req.query('before'), 'before'),
      withFailed: failed ?? false,
      withCompleted: completed ?? true,
    });
    return { rounds };
  });
  door.on(ADMIN_ROUTES.round, async (c) => {
    const id = c.req.param('id')!;
    const batch = await batchById(db, id);
    demand(batch, 'TX_NOT_FOUND', `round ${id} not found`);
    return printRound(ctx, batch);
  });
}

function printIntent(ctx: ArkContext, { id, createdAt, intent, message: text, proof }: StoredIntent) {
  const input = ({ outpoint, amount: value }: StoredIntent['intent']['inputs'][number]) => {
    const [txid, vout] = outpoint.split(':');
    return { txid, vout: Number(vout), amount: `${value}` };
  };
  return {
    id,
    createdAt: `${Math.floor(createdAt / 1000)}`,
    receivers: [
      ...intent.receivers.map(({ value, script }) => ({ vtxoScript: toHex(script), amount: `${value}` })),
      ...intent.onchain.map(({ value, script }) => ({
        onchainAddress: addressOf(ctx.chain.network, script),
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
