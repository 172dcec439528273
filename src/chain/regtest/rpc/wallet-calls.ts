/** Calls of the one wallet there is, the faucet's, under whatever name it is asked for. */
import { toHex } from '../../../base/bytes.ts';
import { invariant } from '../../../base/errors.ts';
import { sats, sumSats } from '../../../base/units.ts';
import { addressOf } from '../../../bitcoin/address.ts';
import type { ChainUtxo } from '../../chain.ts';
import { scriptHashOf } from '../../script-hash.ts';
import { View } from '../view.ts';
import { addressScript } from './address-script.ts';
import { inferDescriptor } from './descriptor.ts';
import { demand } from './error.ts';
import { btcJson } from './json.ts';
import { type Method, method, type RpcContext } from './method.ts';

const DEFAULT_NAME = 'faucet';
/** Larger than any number of confirmations. */
const ANY_DEPTH = 9_999_999;

export function walletCalls({ chain, node, secp }: RpcContext): readonly Method[] {
  const { ledger } = node;
  const view = new View(node);
  const script = chain.faucetScript;
  const address = addressOf('regtest', script);
  invariant(address, 'the faucet has an address');
  const descriptor = inferDescriptor(secp, script);
  const names = new Set([DEFAULT_NAME]);

  const depthOf = ({ confirmation }: ChainUtxo): number => (confirmation ? ledger.height - confirmation.height + 1 : 0);
  const sumOf = (coins: readonly ChainUtxo[]): bigint => sumSats(coins.map(({ value }) => value));

  /** What the wallet has made itself can be spent while it waits. */
  function coins() {
    const all = view.unspent(scriptHashOf(script));
    const mature = all.filter(view.isMature);
    return { mature, immature: all.filter((coin) => !view.isMature(coin)) };
  }

  const lastBlock = () => ({ hash: ledger.tip.hash, height: ledger.height });

  function open(name: string) {
    names.add(name);
    return { name };
  }

  const coinJson = (coin: ChainUtxo) => ({
    txid: coin.outpoint.txid,
    vout: coin.outpoint.vout,
    address,
    label: '',
    scriptPubKey: toHex(coin.script),
    amount: btcJson(coin.value),
    confirmations: depthOf(coin),
    spendable: true,
    solvable: true,
    desc: descriptor,
    parent_descs: [],
    safe: true,
  });

  return [
    method(
      'createwallet wallet_name [disable_private_keys] [blank] [passphrase] [avoid_reuse] [descriptors] [load_on_startup] [external_signer]',
      "Another name for the faucet's wallet.",
      (args) => open(args.string('wallet_name')),
    ),
    method('loadwallet filename [load_on_startup]', "Another name for the faucet's wallet.", (args) =>
      open(args.string('filename')),
    ),
    method('listwallets', "The names of the faucet's wallet.", () => [...names]),
    method('getnewaddress [label] [address_type]', "The faucet's address, which is always the same.", () => address),
    method('getbalance [dummy] [minconf] [include_watchonly] [avoid_reuse]', 'What can be spent.', (args) => {
      const least = args.int('minconf', 0);
      return btcJson(sumOf(coins().mature.filter((coin) => depthOf(coin) >= least)));
    }),
    method('getbalances', 'What can be spent, and what not yet.', () => {
      const { mature, immature } = coins();
      return {
        mine: { trusted: btcJson(sumOf(mature)), untrusted_pending: btcJson(0n), immature: btcJson(sumOf(immature)) },
        lastprocessedblock: lastBlock(),
      };
    }),
    method('getwalletinfo', "The faucet's wallet.", () => {
      const { mature, immature } = coins();
      return {
        walletname: DEFAULT_NAME,
        walletversion: 169900,
        format: 'sqlite',
        balance: btcJson(sumOf(mature)),
        unconfirmed_balance: btcJson(0n),
        immature_balance: btcJson(sumOf(immature)),
        txcount: ledger.script(scriptHashOf(script))?.history.length ?? 0,
        keypoolsize: 1,
        keypoolsize_hd_internal: 0,
        paytxfee: btcJson(0n),
        private_keys_enabled: true,
        avoid_reuse: false,
        scanning: false,
        descriptors: true,
        external_signer: false,
        blank: false,
        lastprocessedblock: lastBlock(),
      };
    }),
    method(
      'listunspent [minconf] [maxconf] [addresses] [include_unsafe] [query_options]',
      'What can be spent.',
      (args) => {
        const least = args.int('minconf', 1);
        const most = args.int('maxconf', ANY_DEPTH);
        if (args.has('addresses') && !args.array('addresses').includes(address)) return [];
        return coins()
          .mature.filter((coin) => depthOf(coin) >= least && depthOf(coin) <= most)
          .map(coinJson);
      },
    ),
    method(
      'sendtoaddress address amount [comment] [comment_to] [subtractfeefromamount] [replaceable] [conf_target] [estimate_mode] [avoid_reuse] [fee_rate] [verbose]',
      "Pays from the faucet, at the faucet's own fee rate; only the first two and the last argument count.",
      async (args) => {
        const amount = args.amount('amount');
        demand(amount > 0n, 'type', 'Invalid amount for send');
        demand(
          !args.bool('subtractfeefromamount', false),
          'invalidParameter',
          'the faucet pays its fees itself: subtractfeefromamount is not supported',
        );
        const txid = await chain.faucet(addressScript(args.string('address'), 'Invalid address'), sats(amount));
        return args.bool('verbose', false) ? { txid, fee_reason: 'Fixed rate' } : txid;
      },
    ),
  ];
}
