/**
 * The server's own coins: BIP86 outputs of two keys, found on chain by script. Those of the wallet fund batches; those of
 * the reserve are kept apart to pay for answers to fraud. What a running batch wants is locked in memory, what a recorded
 * commitment spends by the record, whether or not the mempool has it.
 */
import { type Bytes, type Outpoint, type OutpointKey, outpointKey, type Txid, toHex } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import { sumSats } from '../../base/units.ts';
import { addressOf } from '../../bitcoin/address.ts';
import { p2tr } from '../../bitcoin/script.ts';
import { taprootSighash } from '../../bitcoin/sighash.ts';
import { outputKey } from '../../bitcoin/taproot.ts';
import { parseTx, type Tx, type TxOut, txidOf } from '../../bitcoin/tx.ts';
import type { Chain, ChainUtxo } from '../../chain/chain.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { Signer } from '../../runtime/signer.ts';
import type { Db } from '../../store/db.ts';
import type { WalletCoin } from '../protocol/commitment.ts';
import type { ArkKeyName } from './keys.ts';
import { openCommitments } from './store/batches.ts';

export type WalletUtxo = ChainUtxo & { readonly locked: boolean };

export interface ServerWallet {
  readonly script: Bytes;
  readonly address: string;
  /** Script of the coins kept apart for answers to fraud. */
  readonly reserveScript: Bytes;
  /** Script of connectors: the connector key itself, untweaked. */
  readonly connectorScript: Bytes;
  /** Satoshi without the reserve; `locked` is wanted by a batch, not mature, or somebody else's to take back. */
  balance(): Promise<{ available: bigint; locked: bigint }>;
  utxos(): Promise<readonly WalletUtxo[]>;
  /** Coins of the reserve; `locked` until they are confirmed. */
  setAside(): Promise<readonly WalletUtxo[]>;
  /** Coins that a batch may spend: confirmed ones first, then by value, largest first. */
  spendable(): Promise<readonly WalletCoin[]>;
  /** Confirmed coins that may pay a fee: the reserve's before the wallet's, then the smallest first. */
  feeCoins(): Promise<readonly WalletCoin[]>;
  /** Locks all of `coins` for `owner`; false, and nothing locked, when another has one of them. */
  reserve(coins: readonly Pick<WalletCoin, 'outpoint'>[], owner: string): boolean;
  release(owner: string): void;
  /** True of an output that {@link ServerWallet.sign} can spend. */
  isOwn(output: Pick<TxOut, 'script'>): boolean;
  /** Signs input `index`, which must be a coin of the wallet or of the reserve. */
  sign(tx: Tx, index: number, prevouts: readonly TxOut[]): Bytes;
}

const COINBASE_MATURITY = 100;
/** Unconfirmed ancestors that a coin of ours may have: nodes allow a chain of 25. */
const MAX_UNCONFIRMED = 20;

const toWalletCoin = ({ outpoint, value, script }: ChainUtxo): WalletCoin => ({ outpoint, output: { value, script } });

/** Recorded commitments that are not in a block: what they spend, and their txids. */
interface Commitments {
  readonly spent: ReadonlySet<OutpointKey>;
  readonly txids: ReadonlySet<Txid>;
}

export function createServerWallet(
  secp: Secp,
  chain: Chain,
  signer: Signer<ArkKeyName>,
  db: Pick<Db, 'read'>,
): ServerWallet {
  const scriptOf = (key: ArkKeyName): Bytes => p2tr(outputKey(secp, signer.publicKey(key).slice(1)).xonly);
  const script = scriptOf('wallet');
  const reserveScript = scriptOf('reserve');
  const connectorScript = p2tr(signer.publicKey('connector').slice(1));
  const address = addressOf(chain.network, script);
  invariant(address, 'a P2TR script has an address');
  const keyOf = new Map<string, ArkKeyName>([
    [toHex(script), 'wallet'],
    [toHex(reserveScript), 'reserve'],
  ]);
  const reserved = new Map<OutpointKey, string>();

  const isOwn = (output: Pick<TxOut, 'script'>): boolean => keyOf.has(toHex(output.script));

  async function commitments(): Promise<Commitments> {
    const txs = (await openCommitments(db)).map(parseTx);
    const spent = txs.flatMap(({ inputs }) => inputs.map(({ prevout }) => outpointKey(prevout)));
    return { spent: new Set(spent), txids: new Set(txs.map(txidOf)) };
  }

  /**
   * False of an unconfirmed coin that anybody but us could make disappear: not all that it descends from is a recorded
   * commitment or spends our coins alone.
   */
  async function isTrusted(outpoint: Outpoint, { txids }: Commitments): Promise<boolean> {
    const seen = new Set<Txid>([outpoint.txid]);
    for (const txid of seen) {
      const found = await chain.transaction(txid);
      if (!found) return false;
      if (found.confirmation) continue;
      if (seen.size > MAX_UNCONFIRMED) return false;
      for (const { prevout } of found.tx.inputs) {
        const parent = await chain.transaction(prevout.txid);
        const output = parent?.tx.outputs[prevout.vout];
        if (!output || !(txids.has(txid) || isOwn(output))) return false;
        if (!parent.confirmation) seen.add(prevout.txid);
      }
    }
    return true;
  }

  async function utxosOf(from: Bytes): Promise<WalletUtxo[]> {
    const [coins, tip, open] = await Promise.all([chain.unspent(from), chain.tip(), commitments()]);
    const trusted = await Promise.all(
      coins.map(async (coin) => (coin.confirmation ? !coin.isCoinbase : await isTrusted(coin.outpoint, open))),
    );
    return coins.map((coin, i) => {
      const depth = coin.confirmation ? tip.height - coin.confirmation.height + 1 : 0;
      const usable = trusted[i] || (coin.isCoinbase && depth >= COINBASE_MATURITY);
      const key = outpointKey(coin.outpoint);
      return { ...coin, locked: !usable || open.spent.has(key) || reserved.has(key) };
    });
  }

  const utxos = (): Promise<WalletUtxo[]> => utxosOf(script);

  const byValue = (a: ChainUtxo, b: ChainUtxo): number => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0);

  async function confirmed(from: Bytes): Promise<WalletUtxo[]> {
    return (await utxosOf(from)).filter((coin) => !coin.locked && coin.confirmation).sort(byValue);
  }

  return {
    script,
    address,
    reserveScript,
    connectorScript,
    utxos,
    isOwn,
    async setAside() {
      return (await utxosOf(reserveScript)).map((coin) => ({ ...coin, locked: coin.locked || !coin.confirmation }));
    },
    async balance() {
      const coins = await utxos();
      const total = (locked: boolean) => sumSats(coins.filter((c) => c.locked === locked).map((c) => c.value));
      return { available: total(false), locked: total(true) };
    },
    async spendable() {
      const rank = (coin: ChainUtxo): number => (coin.confirmation ? 0 : 1);
      const coins = (await utxos()).filter((coin) => !coin.locked);
      return coins.sort((a, b) => rank(a) - rank(b) || byValue(b, a)).map(toWalletCoin);
    },
    async feeCoins() {
      return [...(await confirmed(reserveScript)), ...(await confirmed(script))].map(toWalletCoin);
    },
    reserve(coins, owner) {
      const keys = coins.map(({ outpoint }) => outpointKey(outpoint));
      if (keys.some((key) => reserved.has(key) && reserved.get(key) !== owner)) return false;
      for (const key of keys) reserved.set(key, owner);
      return true;
    },
    release(owner) {
      for (const [key, holder] of reserved) if (holder === owner) reserved.delete(key);
    },
    sign(tx, index, prevouts) {
      const hash = taprootSighash(tx, index, prevouts);
      const key = keyOf.get(toHex(prevouts[index]!.script));
      invariant(hash && key, 'a wallet input has a sighash and is ours');
      return signer.sign(key, hash, 'bip86');
    },
  };
}
