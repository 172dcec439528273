/** Puts pre-signed transactions on chain as their owner would: one a block, each with a child that pays for it. */
import { sats } from '../../src/base/units.ts';
import { anchorOf, TRUC_VERSION } from '../../src/bitcoin/package.ts';
import { p2tr } from '../../src/bitcoin/script.ts';
import { taprootSighash } from '../../src/bitcoin/sighash.ts';
import { type Tx, type TxOut, txIn, txidOf, vsizeOf } from '../../src/bitcoin/tx.ts';
import { secp, type World } from './world.ts';

const FEE_COIN = sats(20_000);
const SECRET = new Uint8Array(32).fill(0x2a);
const script = p2tr(secp.publicKey(SECRET).slice(1));

/** Signs every input that spends an output of ours. */
function signed(tx: Tx, prevouts: readonly TxOut[]): Tx {
  const inputs = tx.inputs.map((input, i) => {
    if (prevouts[i]!.script !== script) return input;
    const message = taprootSighash(tx, i, prevouts)!;
    return { ...input, witness: [secp.schnorrSign(message, SECRET, new Uint8Array(32))] };
  });
  return { ...tx, inputs };
}

export interface ChildOptions {
  /** Satoshi per virtual byte for both. */
  readonly rate?: number;
  /** Satoshi, in place of the rate. */
  readonly fee?: bigint;
  /** How many it has, to make it large. */
  readonly outputs?: number;
  /** Whether a block is mined for its coin; without one, a coin that is left from before is used. */
  readonly confirmed?: boolean;
}

/** A child that pays for `parent` with a coin of its own. Broadcasts nothing of them; mines a block for the coin. */
export async function fundedChild({ chain, mine }: World, parent: Tx, options: ChildOptions = {}): Promise<Tx> {
  const { outputs = 1, confirmed = true } = options;
  const txid = confirmed ? await chain.faucet(script, FEE_COIN) : undefined;
  if (txid) await mine(1);
  const free = (await chain.unspent(script)).filter((coin) => coin.confirmation);
  const coin = txid ? free.find(({ outpoint }) => outpoint.txid === txid)! : free[0]!;
  const prevouts = [parent.outputs[anchorOf(parent)!]!, { value: coin.value, script }];
  const childOf = (change: bigint): Tx => {
    const part = change / BigInt(outputs);
    const parts = Array.from({ length: outputs }, (_, i) => ({
      value: i === 0 ? change - part * BigInt(outputs - 1) : part,
      script,
    }));
    const inputs = [txIn({ txid: txidOf(parent), vout: anchorOf(parent)! }), txIn(coin.outpoint)];
    return signed({ version: TRUC_VERSION, inputs, outputs: parts, locktime: 0 }, prevouts);
  };
  const size = vsizeOf(parent) + vsizeOf(childOf(coin.value));
  const fee = options.fee ?? BigInt(Math.ceil(size * (options.rate ?? (await chain.feeRate(1)))));
  return childOf(coin.value - fee);
}

/** A transaction that spends the coin of a child in its place, and its parent no more. */
export async function takenBack({ chain }: World, child: Tx): Promise<Tx> {
  const { prevout } = child.inputs[1]!;
  const coin = (await chain.output(prevout))!;
  const before = coin.value - child.outputs.reduce((sum, { value }) => sum + value, 0n);
  const outputs = [{ value: coin.value - before - 1_000n, script }];
  return signed({ version: 2, inputs: [txIn(prevout)], outputs, locktime: 0 }, [{ value: coin.value, script }]);
}

/** Broadcasts `parent` with a paying child; does nothing when the chain knows it. Mines nothing but for the coin. */
export async function broadcastWithChild(w: World, parent: Tx): Promise<void> {
  if (await w.chain.transaction(txidOf(parent))) return;
  const child = await fundedChild(w, parent);
  // Meanwhile the server may have answered with the same transaction.
  if (!(await w.chain.transaction(txidOf(parent)))) await w.chain.broadcastPackage(parent, child);
}

/** Broadcasts all of them, which need no other of them in a block, without a block between. */
export async function broadcastAll(w: World, parents: readonly Tx[]): Promise<void> {
  const fresh: Tx[] = [];
  for (const tx of new Map(parents.map((parent) => [txidOf(parent), parent])).values()) {
    if (!(await w.chain.transaction(txidOf(tx)))) fresh.push(tx);
  }
  for (const _ of fresh) await w.chain.faucet(script, FEE_COIN);
  await w.mine(1);
  for (const parent of fresh)
    await w.chain.broadcastPackage(parent, await fundedChild(w, parent, { confirmed: false }));
}

/** Broadcasts and confirms each transaction in turn. */
export async function unroll(world: World, txs: readonly Tx[]): Promise<void> {
  for (const tx of txs) {
    await broadcastWithChild(world, tx);
    await world.mine(1);
  }
}
