/** The server's own coins: BIP86 outputs of one key, found on chain by script, reserved in memory while a batch runs. */
import { type Bytes, type OutpointKey, outpointKey } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import { sumSats } from '../../base/units.ts';
import { addressOf } from '../../bitcoin/address.ts';
import { p2tr } from '../../bitcoin/script.ts';
import { taprootSighash } from '../../bitcoin/sighash.ts';
import { outputKey } from '../../bitcoin/taproot.ts';
import type { Tx, TxOut } from '../../bitcoin/tx.ts';
import type { Chain, ChainUtxo } from '../../chain/chain.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { Signer } from '../../runtime/signer.ts';
import type { WalletCoin } from '../protocol/commitment.ts';
import type { ArkKeyName } from './keys.ts';

export interface ServerWallet {
  readonly script: Bytes;
  readonly address: string;
  /** Script of connectors: the connector key itself, untweaked. */
  readonly connectorScript: Bytes;
  /** Satoshi; `locked` is reserved by a running batch or not mature yet. */
  balance(): Promise<{ available: bigint; locked: bigint }>;
  utxos(): Promise<readonly (ChainUtxo & { readonly locked: boolean })[]>;
  /** Coins free to spend, confirmed ones first, then by value, largest first. */
  spendable(): Promise<readonly WalletCoin[]>;
  /** Those of them that are confirmed. */
  confirmed(): Promise<readonly WalletCoin[]>;
  reserve(coins: readonly WalletCoin[], owner: string): void;
  release(owner: string): void;
  /** Signs input `index`, which must be a coin of this wallet. */
  sign(tx: Tx, index: number, prevouts: readonly TxOut[]): Bytes;
}

const COINBASE_MATURITY = 100;

const toWalletCoin = ({ outpoint, value, script }: ChainUtxo): WalletCoin => ({ outpoint, output: { value, script } });

export function createServerWallet(secp: Secp, chain: Chain, signer: Signer<ArkKeyName>): ServerWallet {
  const script = p2tr(outputKey(secp, signer.publicKey('wallet').slice(1)).xonly);
  const connectorScript = p2tr(signer.publicKey('connector').slice(1));
  const address = addressOf(chain.network, script);
  invariant(address, 'a P2TR script has an address');
  const reserved = new Map<OutpointKey, string>();

  async function utxos() {
    const [coins, tip] = await Promise.all([chain.unspent(script), chain.tip()]);
    return coins.map((coin) => {
      const depth = coin.confirmation ? tip.height - coin.confirmation.height + 1 : 0;
      const immature = coin.isCoinbase && depth < COINBASE_MATURITY;
      return { ...coin, locked: immature || reserved.has(outpointKey(coin.outpoint)) };
    });
  }

  async function free(): Promise<ChainUtxo[]> {
    const rank = (coin: ChainUtxo): number => (coin.confirmation ? 0 : 1);
    const coins = (await utxos()).filter((coin) => !coin.locked);
    return coins.sort((a, b) => rank(a) - rank(b) || (a.value < b.value ? 1 : a.value > b.value ? -1 : 0));
  }

  return {
    script,
    address,
    connectorScript,
    utxos,
    async balance() {
      const coins = await utxos();
      const total = (locked: boolean) => sumSats(coins.filter((c) => c.locked === locked).map((c) => c.value));
      return { available: total(false), locked: total(true) };
    },
    spendable: async () => (await free()).map(toWalletCoin),
    confirmed: async () => (await free()).filter((coin) => coin.confirmation).map(toWalletCoin),
    reserve(coins, owner) {
      for (const coin of coins) reserved.set(outpointKey(coin.outpoint), owner);
    },
    release(owner) {
      for (const [key, holder] of reserved) if (holder === owner) reserved.delete(key);
    },
    sign(tx, index, prevouts) {
      const hash = taprootSighash(tx, index, prevouts);
      invariant(hash, 'a wallet input has a sighash');
      return signer.sign('wallet', hash, 'bip86');
    },
  };
}
