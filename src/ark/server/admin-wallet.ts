/** The operator's calls about the server's own coins. */
import { outpointKey, toHex } from '../../base/bytes.ts';
import { messageOf } from '../../base/errors.ts';
import { feeRate, formatBtc } from '../../base/units.ts';
import { parseAddress } from '../../bitcoin/address.ts';
import { NodeError } from '../../chain/node-error.ts';
import type { WalletInitializerService, WalletService } from '../wire/gen/ark/v1/wallet_pb.ts';
import { amount, type Fields, flag, malformed, requiredText } from '../wire/request.ts';
import { refused } from '../wire/status.ts';
import type { Calls } from './call.ts';
import type { ArkContext } from './context.ts';
import { areConnectorsNeeded, treeTxById } from './store/batches.ts';
import { latestWithdrawals, type Withdrawal } from './store/withdrawals.ts';
import type { WithdrawalOrder, Withdrawals } from './withdrawals.ts';

/** What an operator may offer at most, in satoshi per virtual byte: more is a slip of the finger. */
const MAX_FEE_RATE = 10_000;
const MAX_LISTED = 1_000;

const exists = (): never => {
  throw refused('ALREADY_EXISTS', 'the wallet exists: its keys come from the seed in the data folder of the server');
};

/** Seed, creation and restoring belong to servers that start without keys. This one has them from its first start on. */
export const initializerCalls = ({ chain }: ArkContext): Partial<Calls<typeof WalletInitializerService>> => ({
  async getStatus() {
    const synced = await chain.tip().then(
      () => true,
      (error) => {
        if (error instanceof NodeError) return false;
        throw error;
      },
    );
    return { initialized: true, unlocked: true, synced };
  },
  genSeed() {
    throw refused('FAILED_PRECONDITION', 'there is no use for a seed: the wallet has one, in the data folder');
  },
  create: exists,
  restore: exists,
  /** It is never locked, so any password will do; none at all is a mistake, as in arkd. */
  unlock(request) {
    requiredText(request, 'password');
    return {};
  },
});

function readOrder({ chain, settings }: ArkContext, request: Fields): WithdrawalOrder {
  const address = requiredText(request, 'address');
  const all = flag(request, 'all');
  const sats = all ? 'all' : amount(request.amount, 'amount');
  const { dust } = settings();
  if (sats !== 'all' && sats < dust) throw malformed(`amount must be at least ${dust} sat`);
  // Neither this nor the fee rate is known to arkd.
  const keepsReserve = !flag(request, 'spendReserve');
  return { address, script: scriptOf(address), amount: sats, keepsReserve, ...readFeeRate(request.feeRate) };

  function scriptOf(text: string): Uint8Array {
    try {
      return parseAddress(chain.network, text);
    } catch (error) {
      throw malformed(messageOf(error));
    }
  }
}

/** Satoshi per virtual byte, as a number or its text. */
function readFeeRate(value: unknown): Pick<WithdrawalOrder, 'feeRate'> {
  if (value === undefined || value === null || value === '') return {};
  const rate = Number(value);
  if (!(rate >= 1 && rate <= MAX_FEE_RATE)) throw malformed(`feeRate must be from 1 to ${MAX_FEE_RATE} sat/vB`);
  return { feeRate: feeRate(rate) };
}

export const walletCalls = (ctx: ArkContext, withdrawals: Withdrawals): Partial<Calls<typeof WalletService>> => ({
  lock() {
    throw refused('FAILED_PRECONDITION', 'the wallet is open as long as the server runs: stop it instead');
  },
  deriveAddress: () => ({ address: ctx.wallet.address }),
  async getBalance() {
    const [main, connectors] = await Promise.all([ctx.wallet.balance(), connectorBalance(ctx)]);
    const print = ({ locked, available }: typeof main) => ({
      locked: formatBtc(locked),
      available: formatBtc(available),
    });
    return { mainAccount: print(main), connectorsAccount: print(connectors) };
  },
  withdraw: async (request) => ({ txid: (await withdrawals.pay(readOrder(ctx, request))).txid }),
});

/** Connectors are locked while a forfeit may need them. */
export async function connectorBalance({ db, chain, wallet }: ArkContext) {
  let [available, locked] = [0n, 0n];
  for (const { outpoint, value } of await chain.unspent(wallet.connectorScript)) {
    const node = await treeTxById(db, outpoint.txid);
    if (await areConnectorsNeeded(db, node?.commitmentTxid ?? outpoint.txid)) locked += value;
    else available += value;
  }
  return { available, locked };
}

export async function listUtxos({ wallet, chain }: ArkContext) {
  const [utxos, tip] = await Promise.all([wallet.utxos(), chain.tip()]);
  return {
    utxos: utxos
      .toSorted((a, b) => (outpointKey(a.outpoint) < outpointKey(b.outpoint) ? -1 : 1))
      .map(({ outpoint, value, script, confirmation, locked }) => ({
        ...outpoint,
        value: `${value}`,
        script: toHex(script),
        address: wallet.address,
        confirmations: confirmation ? tip.height - confirmation.height + 1 : 0,
        locked,
      })),
  };
}

/** The latest withdrawals, newest first. */
export async function listWithdrawals({ db, chain }: ArkContext) {
  const tip = await chain.tip();
  const print = async ({ txid, address, amount, fee, createdAt, state }: Withdrawal) => {
    const at = (await chain.transaction(txid))?.confirmation;
    const confirmations = at ? tip.height - at.height + 1 : 0;
    return { txid, address, amount: `${amount}`, fee: `${fee}`, createdAt: `${createdAt}`, confirmations, state };
  };
  return { withdrawals: await Promise.all((await latestWithdrawals(db, MAX_LISTED)).map(print)) };
}
