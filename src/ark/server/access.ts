/**
 * Who may read the chain of a VTXO and the transactions in it. `public`: everybody. `withheld`: everybody may follow
 * them, only owners get them with the signatures that make them fit to be broadcast. `private`: owners only.
 *
 * Ownership is proven by an intent of type `get-data` over VTXOs, once, and from then on by the token that answers it.
 */
import { equal, type OutpointKey, outpointKey, type Txid, toHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { createRecent } from '../../runtime/recent.ts';
import { arkError, demand } from '../protocol/errors.ts';
import { type IntentProof, parseIntentProof } from '../protocol/intent.ts';
import { checkIntentTime, parseIntentMessage } from '../protocol/intent-message.ts';
import { keysBesides } from '../protocol/leaf-spend.ts';
import { withheldPsbt } from '../protocol/withheld.ts';
import type { VtxoChange } from '../wire/vtxo.ts';
import type { AccessTokens } from './access-tokens.ts';
import type { ArkContext } from './context.ts';
import type { Indexer } from './indexer.ts';
import { vtxosByOutpoint } from './store/vtxos.ts';

export const EXPOSURES = ['public', 'withheld', 'private'] as const;
export type Exposure = (typeof EXPOSURES)[number];

export type AccessErrorCode =
  /** There is no token, or none that is known and alive. */
  | 'UNAUTHENTICATED'
  /** The token is for somebody else's VTXOs. */
  | 'PERMISSION_DENIED';

export interface Proven {
  readonly outpoints: readonly OutpointKey[];
  /** Empty where nobody needs one. */
  readonly token: string;
}

export interface Access {
  /** Throws `ArkError` unless the proof shows that somebody owns these VTXOs, for the first time. */
  prove(proof: string, message: string): Promise<Proven>;
  /** Throws `UNAUTHENTICATED` or `PERMISSION_DENIED`, whether or not there is such a VTXO. */
  checkChain(outpoint: OutpointKey, token: string): Promise<void>;
  /** The transactions as whoever brings `token` may see them. Throws as {@link checkChain} does. */
  show(txids: readonly Txid[], token: string, read: () => Promise<readonly string[]>): Promise<readonly string[]>;
  /** A change as strangers may see it. */
  toStrangers(change: VtxoChange): VtxoChange;
}

/** A proof says until when it counts, and that is soon: who comes by one later has nothing. */
const LONGEST_PROOF_SECONDS = 3_600;
const MOST_COINS = 50;
/** A sighash type may follow. */
const SIGNATURE_BYTES = 64;
/** Proofs that are remembered so that nobody uses them again. */
const MOST_PROOFS = 100_000;
/** Transactions of chains whose readers were just here. */
const MOST_RECENT_TXS = 200_000;
const CHAIN_AGE_MS = 60_000;
/** More than this of a chain is for `public` servers only. */
const LONGEST_CHAIN = 100_000;

const denied = (code: AccessErrorCode, message: string) => new ProtocolError(code, message);

export const isAccessError = (error: unknown): error is ProtocolError<AccessErrorCode> =>
  error instanceof ProtocolError && (error.code === 'UNAUTHENTICATED' || error.code === 'PERMISSION_DENIED');

export interface AccessParts {
  readonly ctx: ArkContext;
  readonly indexer: Indexer;
  readonly exposure: Exposure;
  readonly tokens: AccessTokens;
}

export function createAccess({ ctx, indexer, exposure, tokens }: AccessParts): Access {
  const { db, secp, signers, clock } = ctx;
  const used = new Map<string, number>();
  const chains = createRecent<string, ReadonlySet<string>>({
    clock,
    ageMs: CHAIN_AGE_MS,
    mostWeight: MOST_RECENT_TXS,
    weigh: (txids) => txids.size,
  });

  /** Told apart by an owner's signature, which nobody but the owner can make anew. */
  function takeProof({ txid, psbt, coins }: IntentProof, expireAt: number): void {
    const { closure, hash } = coins[0]!.leaf;
    const [owner] = keysBesides(closure!, signers.all());
    const { signature } = psbt.inputs[0]!.tapScriptSigs.find(
      ({ publicKey, leafHash }) => equal(publicKey, owner!) && equal(leafHash, hash),
    )!;
    const name = `${txid} ${toHex(signature.subarray(0, SIGNATURE_BYTES))}`;
    const now = ctx.nowSeconds();
    for (const [known, until] of used) {
      if (until >= now && used.size <= MOST_PROOFS) break;
      used.delete(known);
    }
    demand(!used.has(name), 'INVALID_INTENT_PROOF', 'the proof was used before');
    used.set(name, expireAt);
  }

  async function prove(proofText: string, messageText: string): Promise<Proven> {
    const message = parseIntentMessage('get-data', messageText);
    const now = ctx.nowSeconds();
    checkIntentTime(message, now);
    const proof = parseIntentProof(secp, proofText, messageText, signers.all());
    demand(proof.coins.length <= MOST_COINS, 'INVALID_INTENT_PROOF', `at most ${MOST_COINS} VTXOs at once`);
    const outpoints = proof.coins.map((coin) => outpointKey(coin.outpoint));
    const scripts = new Map((await vtxosByOutpoint(db, outpoints)).map((vtxo) => [vtxo.outpoint, vtxo.script]));
    for (const { outpoint, script, leaf } of proof.coins) {
      const key = outpointKey(outpoint);
      // The same answer for a stranger's VTXO and for none: guessing outpoints tells nothing.
      const isOwn = leaf.closure !== undefined && scripts.get(key) === toHex(script);
      demand(isOwn, 'INVALID_INTENT_PROOF', `${key} is no VTXO of the prover`, { vtxo_outpoint: key });
    }
    if (exposure === 'public') return { outpoints, token: '' };
    const { expireAt } = message;
    if (expireAt === 0 || expireAt > now + LONGEST_PROOF_SECONDS) {
      const why = `a proof of ownership must expire within ${LONGEST_PROOF_SECONDS} seconds`;
      throw arkError('INVALID_INTENT_TIMERANGE', why, { expire_at: `${expireAt}`, now: `${now}` });
    }
    takeProof(proof, expireAt);
    return { outpoints, token: tokens.issue(outpoints).token };
  }

  /** All that the holder of a token has to do with: the transactions between its VTXOs and the chain. */
  async function txidsFor(token: string): Promise<ReadonlySet<string>> {
    const known = tokens.find(token);
    if (!known) throw denied('UNAUTHENTICATED', 'the token is unknown, over or revoked');
    const remembered = chains.get(known.hash);
    if (remembered) return remembered;
    const txids = new Set<string>();
    for (const outpoint of known.outpoints) {
      for (const { txid } of (await indexer.chainOf(outpoint, LONGEST_CHAIN)).txs) txids.add(txid);
    }
    chains.set(known.hash, txids);
    return txids;
  }

  async function isFor(txids: readonly string[], token: string): Promise<boolean> {
    const allowed = await txidsFor(token);
    return txids.every((txid) => allowed.has(txid));
  }

  /** What a server that does not tell everything asks of a reader; `false` for a stranger who may still look. */
  async function isOwner(txids: readonly string[], token: string): Promise<boolean> {
    if (exposure === 'public') return true;
    if (token === '') {
      if (exposure === 'withheld') return false;
      throw denied('UNAUTHENTICATED', 'prove to own a VTXO first');
    }
    if (await isFor(txids, token)) return true;
    throw denied('PERMISSION_DENIED', "the token is for somebody else's VTXOs");
  }

  const withheld = (psbt: string): string => (psbt === '' ? '' : withheldPsbt(psbt, signers.all()));

  return {
    prove,
    async checkChain(outpoint, token) {
      await isOwner([outpoint.slice(0, outpoint.indexOf(':'))], token);
    },
    async show(txids, token, read) {
      const own = await isOwner(txids, token);
      const psbts = await read();
      return own ? psbts : psbts.map(withheld);
    },
    toStrangers(change) {
      if (exposure === 'public' || change.kind !== 'ark') return change;
      if (exposure === 'private') return { ...change, tx: '', checkpoints: {} };
      const checkpoints = Object.entries(change.checkpoints).map(
        ([outpoint, { txid, tx }]) => [outpoint, { txid, tx: withheld(tx) }] as const,
      );
      return { ...change, tx: withheld(change.tx), checkpoints: Object.fromEntries(checkpoints) };
    },
  };
}
