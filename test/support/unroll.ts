/** Puts pre-signed transactions on chain as their owner would: one a block, each with a child that pays for it. */
import { sats } from '../../src/base/units.ts';
import { anchorChild, anchorOf } from '../../src/bitcoin/package.ts';
import { p2tr } from '../../src/bitcoin/script.ts';
import { taprootSighash } from '../../src/bitcoin/sighash.ts';
import { type Tx, txidOf } from '../../src/bitcoin/tx.ts';
import { secp, type World } from './world.ts';

const FEE_COIN = sats(20_000);
const SECRET = new Uint8Array(32).fill(0x2a);
const script = p2tr(secp.publicKey(SECRET).slice(1));

/** Broadcasts `parent` with a paying child; does nothing when the chain knows it. Mines nothing. */
export async function broadcastWithChild({ chain, mine }: World, parent: Tx): Promise<void> {
  if (await chain.transaction(txidOf(parent))) return;
  const txid = await chain.faucet(script, FEE_COIN);
  await mine(1);
  const coin = (await chain.unspent(script)).find(({ outpoint }) => outpoint.txid === txid)!;
  const output = { value: coin.value, script };
  const child = anchorChild(parent, { outpoint: coin.outpoint, output }, script, await chain.feeRate(1), 330n)!;
  const message = taprootSighash(child, 1, [parent.outputs[anchorOf(parent)!]!, output])!;
  const witness = [secp.schnorrSign(message, SECRET, new Uint8Array(32))];
  const inputs = child.inputs.map((input, i) => (i === 1 ? { ...input, witness } : input));
  await chain.broadcastPackage(parent, { ...child, inputs });
}

/** Broadcasts and confirms each transaction in turn. */
export async function unroll(world: World, txs: readonly Tx[]): Promise<void> {
  for (const tx of txs) {
    await broadcastWithChild(world, tx);
    await world.mine(1);
  }
}
