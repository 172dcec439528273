/**
 * Leaves without the server: puts a kept VTXO on chain, transaction by transaction, waits out its delay and claims it.
 * Each {@link advanceExit} looks at the chain anew, does what can be done now, and says what is being waited for; it
 * remembers nothing, so that crashes, reorganizations and other hands at the same work change nothing.
 */
import { type Bytes, equal, type Outpoint, outpointKey, type Txid } from '../../base/bytes.ts';
import { messageOf, ProtocolError } from '../../base/errors.ts';
import { type FeeRate, feeRate, sumSats } from '../../base/units.ts';
import { anchorChild, anchorOf, type FeeCoin } from '../../bitcoin/package.ts';
import { isMature } from '../../bitcoin/timelock.ts';
import { type Tx, type TxOut, txidOf, vsizeOf } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { packageVsize } from '../../txgraph/cost.ts';
import { type Place, planUnroll } from '../../txgraph/unroll.ts';
import type { ChainSource, SourceTip } from './chain-source.ts';
import { buildClaim, claimableFrom, type ExitLeaf, exitLeafOf, isClaimable } from './claim.ts';
import { type ClientErrorCode, insist } from './errors.ts';
import type { ExitData } from './exit-store.ts';
import type { FeeWallet } from './fee-wallet.ts';

export interface ExitParts {
  readonly secp: Secp;
  readonly random: (length: number) => Bytes;
  readonly chain: ChainSource;
  readonly fees: FeeWallet;
  /** Key of the VTXO. */
  readonly secret: Bytes;
  /** Output script that the claim pays to. */
  readonly to: Bytes;
  /** Satoshi. */
  readonly dust: bigint;
  /** Blocks within which each step wants to be confirmed. */
  readonly target?: number;
}

export type ExitState =
  | {
      readonly at: 'unrolling';
      /** Transactions that are in no block yet. */
      readonly left: number;
      /** Sent out or bumped just now. */
      readonly sent: readonly Txid[];
      /** In the mempool since earlier. */
      readonly waiting: readonly Txid[];
      /** Ready, but no coin of the fee wallet pays for them. */
      readonly unpaid: readonly Txid[];
      /** Ready, but behind an absolute lock, or refused by the network just now. */
      readonly held: readonly { readonly txid: Txid; readonly reason: string }[];
    }
  /** On chain; `from` is a height, or a median time. */
  | { readonly at: 'maturing'; readonly from: number; readonly now: number }
  | { readonly at: 'claiming'; readonly txid: Txid }
  | { readonly at: 'claimed'; readonly txid: Txid }
  /** Worth less than its fee at the present rate. */
  | { readonly at: 'uneconomical' }
  /** A block holds another spend of what the exit needs. */
  | { readonly at: 'lost'; readonly outpoint: Outpoint; readonly by: Txid };

const TARGET = 2;
/** A step in the mempool is bumped once what it takes has grown by as much. */
const BUMP_FACTOR = 1.25;
/** Nodes want a replacement to pay for its own relay (BIP125 rule 4). */
const RELAY_STEP = 1;

/** Throws `EXIT_IMPOSSIBLE` where no leaf lets the owner out alone, and `CHAIN_SOURCE_FAILED`. */
export async function advanceExit(parts: ExitParts, data: ExitData): Promise<ExitState> {
  const { secp, chain, secret, target = TARGET } = parts;
  const leaf = exitLeafOf(secp, data, secp.publicKey(secret).slice(1));
  insist(leaf, 'EXIT_IMPOSSIBLE', `no leaf of ${outpointKey(data.outpoint)} lets its owner out alone`);
  const [tip, rate] = await Promise.all([chain.tip(), chain.feeRate(target)]);
  const places = await placesOf(chain, data.txs);
  const { ready, waiting, left } = planUnroll(data.txs, (txid) => places.get(txid) ?? 'nowhere');
  return left > 0 ? unroll(parts, { ready, waiting, left, rate, tip }) : takeHome(parts, data, leaf, rate, tip);
}

/** Asks only for what can be there: nothing stands on a chain that its parents do not stand on. */
async function placesOf(chain: ChainSource, txs: readonly Tx[]): Promise<ReadonlyMap<Txid, Place>> {
  const places = new Map<Txid, Place>();
  for (const tx of txs) {
    if (tx.inputs.some(({ prevout }) => (places.get(prevout.txid) ?? 'block') !== 'block')) {
      places.set(txidOf(tx), 'nowhere');
      continue;
    }
    const found = await chain.transaction(txidOf(tx));
    places.set(txidOf(tx), found ? (found.confirmation ? 'block' : 'mempool') : 'nowhere');
  }
  return places;
}

interface Turn {
  readonly ready: readonly Tx[];
  readonly waiting: readonly Tx[];
  readonly left: number;
  readonly rate: FeeRate;
  readonly tip: SourceTip;
}

async function unroll(parts: ExitParts, { ready, waiting, left, rate, tip }: Turn): Promise<ExitState> {
  const { chain, fees } = parts;
  let coins = await fees.coins();
  const sent: Txid[] = [];
  const unpaid: Txid[] = [];
  const held: { txid: Txid; reason: string }[] = [];
  for (const tx of ready) {
    const txid = txidOf(tx);
    const rival = await rivalOf(chain, tx);
    if (rival) return { at: 'lost', ...rival };
    if (tx.locktime > 0 && !isMature(tx.locktime, tip)) {
      held.push({ txid, reason: `locked until ${tx.locktime}` });
      continue;
    }
    const paid = payFor(parts, tx, coins, rate);
    if (!paid) {
      unpaid.push(txid);
      continue;
    }
    coins = coins.filter((coin) => coin !== paid.coin);
    const reason = await refusalOf(chain.broadcastPackage(tx, paid.child));
    if (reason === undefined) sent.push(txid);
    else held.push({ txid, reason });
  }
  for (const tx of waiting) if (await bump(parts, tx, rate)) sent.push(txidOf(tx));
  const stay = waiting.map(txidOf).filter((txid) => !sent.includes(txid));
  return { at: 'unrolling', left, sent, waiting: stay, unpaid, held };
}

/** A confirmed spend of what `tx` spends. */
async function rivalOf(chain: ChainSource, tx: Tx): Promise<{ outpoint: Outpoint; by: Txid } | undefined> {
  for (const { prevout } of tx.inputs) {
    const spend = await chain.spender(prevout);
    if (spend?.confirmation && spend.txid !== txidOf(tx)) return { outpoint: prevout, by: spend.txid };
  }
  return undefined;
}

/** What the network says against a broadcast; other trouble is thrown. */
async function refusalOf(broadcast: Promise<void>): Promise<string | undefined> {
  try {
    await broadcast;
    return undefined;
  } catch (error) {
    const code: ClientErrorCode = 'BROADCAST_REFUSED';
    if (error instanceof ProtocolError && error.code === code) return messageOf(error);
    throw error;
  }
}

function signChild({ fees }: ExitParts, parent: Tx, child: Tx, coin: FeeCoin): Tx {
  const prevouts: readonly TxOut[] = [parent.outputs[anchorOf(parent)!]!, coin.output];
  const witness = fees.sign(child, 1, prevouts);
  return { ...child, inputs: child.inputs.map((input, i) => (i === 1 ? { ...input, witness } : input)) };
}

/** A child by the smallest coin that pays for it. */
function payFor(parts: ExitParts, parent: Tx, coins: readonly FeeCoin[], rate: FeeRate) {
  for (const coin of coins) {
    const child = anchorChild(parent, coin, parts.fees.script, rate, parts.dust);
    if (child) return { coin, child: signChild(parts, parent, child, coin) };
  }
  return undefined;
}

/**
 * Replaces the child of a transaction in the mempool by one that pays more, if that is due and a coin allows: the own
 * child on the coin it has, a stranger's, who may mean to hold the exit up, on a coin of ours.
 */
async function bump(parts: ExitParts, parent: Tx, rate: FeeRate): Promise<boolean> {
  const { chain, fees, dust } = parts;
  const spend = await chain.spender({ txid: txidOf(parent), vout: anchorOf(parent)! });
  const child = spend && (await chain.transaction(spend.txid))?.tx;
  const spent = child && (await coinsOf(chain, child));
  if (!child || !spent) return false;
  const values = spent.map(({ output }) => output.value);
  const paid = Number(sumSats(values) - sumSats(child.outputs.map(({ value }) => value)));
  const size = vsizeOf(parent) + vsizeOf(child);
  if (rate < (paid / size) * BUMP_FACTOR) return false;
  const wanted = feeRate(Math.max(rate, paid / packageVsize(parent) + RELAY_STEP));
  const own = spent.filter(({ output }) => equal(output.script, fees.script));
  for (const coin of own.length > 0 ? own : await fees.coins()) {
    const next = anchorChild(parent, coin, fees.script, wanted, dust);
    if (next) return (await refusalOf(chain.broadcast(signChild(parts, parent, next, coin)))) === undefined;
  }
  return false;
}

/** What a transaction spends; `undefined` when the chain does not know all of it. */
async function coinsOf(chain: ChainSource, { inputs }: Tx): Promise<readonly FeeCoin[] | undefined> {
  const coins: FeeCoin[] = [];
  for (const { prevout } of inputs) {
    const output = (await chain.transaction(prevout.txid))?.tx.outputs[prevout.vout];
    if (!output) return undefined;
    coins.push({ outpoint: prevout, output });
  }
  return coins;
}

/** The VTXO stands in a block: waits for its delay, then claims it, and claims again for more where that is stuck. */
async function takeHome(
  parts: ExitParts,
  data: ExitData,
  leaf: ExitLeaf,
  rate: FeeRate,
  tip: SourceTip,
): Promise<ExitState> {
  const { secp, random, chain, secret, to, dust } = parts;
  const { outpoint } = data;
  const spend = await chain.spender(outpoint);
  const earlier = spend && (await chain.transaction(spend.txid))?.tx;
  const input = earlier?.inputs.find(({ prevout }) => outpointKey(prevout) === outpointKey(outpoint));
  // Nobody else signs for that leaf.
  const isOurs = input && equal(input.witness.at(-2) ?? new Uint8Array(), leaf.script);
  if (spend?.confirmation) {
    return isOurs ? { at: 'claimed', txid: spend.txid } : { at: 'lost', outpoint, by: spend.txid };
  }
  const confirmation = (await chain.transaction(outpoint.txid))?.confirmation;
  insist(confirmation, 'CHAIN_SOURCE_FAILED', 'a block went while it was looked at');
  if (!isClaimable(confirmation, leaf.delay, tip)) {
    const now = leaf.delay.type === 'blocks' ? tip.height : tip.medianTime;
    return { at: 'maturing', from: claimableFrom(confirmation, leaf.delay), now };
  }
  const paid = earlier ? Number(data.output.value - sumSats(earlier.outputs.map(({ value }) => value))) : 0;
  const paidRate = earlier ? paid / vsizeOf(earlier) : 0;
  if (earlier && isOurs && rate < paidRate * BUMP_FACTOR) return { at: 'claiming', txid: spend!.txid };
  const wanted = feeRate(earlier ? Math.max(rate, paidRate + RELAY_STEP) : rate);
  const claim = buildClaim(secp, { vtxo: data, leaf, to, secret, rate: wanted, dust }, random(32));
  if (!claim) return earlier && isOurs ? { at: 'claiming', txid: spend!.txid } : { at: 'uneconomical' };
  const reason = await refusalOf(chain.broadcast(claim));
  if (reason === undefined) return { at: 'claiming', txid: txidOf(claim) };
  if (earlier) return { at: 'claiming', txid: spend!.txid };
  throw new ProtocolError<ClientErrorCode>('BROADCAST_REFUSED', reason);
}

/** Goes on until the VTXO is claimed or lost; `pause` returns when it is worth looking again, at a new block say. */
export async function exit(
  parts: ExitParts,
  data: ExitData,
  pause: (state: ExitState) => Promise<void>,
): Promise<ExitState> {
  for (;;) {
    const state = await advanceExit(parts, data);
    if (state.at === 'claimed' || state.at === 'lost') return state;
    await pause(state);
  }
}
