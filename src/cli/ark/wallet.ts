import { parseBtc, parseSats } from '../../base/units.ts';
import { argument } from '../argument.ts';
import { grouped, list, table, when } from '../table.ts';
import { command } from './command.ts';
import { choice, text } from './options.ts';

interface Account {
  readonly locked: string;
  readonly available: string;
}

/** Satoshi of an amount in bitcoin. */
const sats = (btc: string): string => grouped(`${parseBtc(btc)}`);

export const WALLET = [
  command<{ initialized: boolean; unlocked: boolean; synced: boolean }>({
    usage: 'wallet status',
    help: 'whether the wallet is there, open, and up to date with the chain',
    ask: (admin) => admin.get('wallet/status'),
    show: (status) => list(Object.entries(status).map(([name, value]) => [name, value ? 'yes' : 'no'])),
  }),
  command<{ address: string }>({
    usage: 'wallet address',
    help: 'where the wallet takes coins',
    ask: (admin) => admin.get('wallet/address'),
    show: ({ address }) => `${address}\n`,
  }),
  command<{ mainAccount: Account; connectorsAccount: Account }>({
    usage: 'wallet balance',
    help: 'what it has and what of it is free, in satoshi',
    ask: (admin) => admin.get('wallet/balance'),
    show: ({ mainAccount, connectorsAccount }) =>
      table(
        ['', 'available', 'locked'],
        [
          ['wallet', sats(mainAccount.available), sats(mainAccount.locked)],
          ['connectors', sats(connectorsAccount.available), sats(connectorsAccount.locked)],
        ],
      ),
  }),
  command<{ utxos: { txid: string; vout: number; value: string; confirmations: number; locked: boolean }[] }>({
    usage: 'wallet utxos',
    help: 'its coins, one by one',
    ask: (admin) => admin.get('wallet/utxos'),
    show: ({ utxos }) =>
      table(
        ['outpoint', 'satoshi', 'confirmations', 'state'],
        utxos.map(({ txid, vout, value, confirmations, locked }) => [
          `${txid}:${vout}`,
          grouped(value),
          `${confirmations}`,
          locked ? 'locked' : 'free',
        ]),
      ),
  }),
  command<Readonly<Record<string, string | number>>>({
    usage: 'wallet reserve',
    help: 'the coins kept apart to answer fraud, and whether they suffice',
    ask: (admin) => admin.get('wallet/reserve'),
    show: ({ ready, pending, wanted, amount, coinAmount, exposed, exposedAmount, shortfall }) =>
      list([
        ['coins ready', `${ready} of ${wanted} wanted, ${pending} on their way`],
        ['satoshi ready', grouped(`${amount}`)],
        ['satoshi of a coin', grouped(`${coinAmount}`)],
        ['VTXOs exposed', `${exposed}, of ${grouped(`${exposedAmount}`)} satoshi`],
        [
          'shortfall',
          Number(shortfall) === 0 ? 'none' : `${grouped(`${shortfall}`)} satoshi: pay them into the wallet`,
        ],
      ]),
  }),
  command({
    usage: 'wallet withdraw <ADDRESS> <SATS>',
    help: 'pay SATS, or "all", to an on-chain address; prints the txid',
    options: {
      feeRate: text('RATE', 'satoshi per virtual byte (default: what the chain asks for six blocks)'),
      spendReserve: choice('also what the wallet still has to put aside for answers to fraud'),
    },
    ask: (admin, [address, amount], { feeRate, spendReserve }): Promise<{ txid: string }> => {
      const order = amount === 'all' ? { all: true } : { amount: `${argument('SATS', amount!, parseSats)}` };
      return admin.post('wallet/withdraw', { address, ...order, feeRate, spendReserve });
    },
    show: ({ txid }) => `${txid}\n`,
  }),
  command<{ withdrawals: Readonly<Record<string, string | number>>[] }>({
    usage: 'wallet withdrawals',
    help: 'the latest payments out of the wallet, and how far they have come',
    ask: (admin) => admin.get('wallet/withdrawals'),
    show: ({ withdrawals }) =>
      table(
        ['when (UTC)', 'satoshi', 'fee', 'to', 'txid', 'confirmations'],
        withdrawals.map(({ createdAt, amount, fee, address, txid, confirmations, state }) => [
          when(createdAt!),
          grouped(`${amount}`),
          grouped(`${fee}`),
          `${address}`,
          `${txid}`,
          state === 'lost' ? 'lost' : `${confirmations}`,
        ]),
      ),
  }),
];
