/** One key and the coins it owns at one server. */
import type { Bytes, Outpoint } from '../../base/bytes.ts';
import { psbtBase64 } from '../../bitcoin/psbt.ts';
import { SIGHASH } from '../../bitcoin/sighash.ts';
import { leafHash } from '../../bitcoin/taproot.ts';
import type { TxOut } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { printArkAddress } from '../protocol/address.ts';
import type { AssetAmount } from '../protocol/asset-packet.ts';
import { buildIntentProof, type ProvableCoin } from '../protocol/intent.ts';
import { type IntentMessage, printIntentMessage } from '../protocol/intent-message.ts';
import { type Leaf, type LeafSigner, leafOfVtxo, secretSigner, signLeaves } from '../protocol/leaf-spend.ts';
import { type Note, noteVtxo } from '../protocol/note.ts';
import { defaultVtxo, type VtxoScript } from '../protocol/vtxo.ts';
import type { ArkClient } from './client.ts';
import type { ServerTerms } from './terms.ts';

/** What a batch asks of a coin: `vtxo` a forfeit, `boarding` a signature on the commitment, the others nothing. */
export type CoinKind = 'vtxo' | 'boarding' | 'recoverable' | 'note';

/** A coin with the leaf that spends it together with the server. */
export interface Coin extends ProvableCoin {
  readonly kind: CoinKind;
  readonly leaf: Leaf;
  /** What it carries besides satoshi. */
  readonly assets?: readonly AssetAmount[];
}

export interface Account {
  readonly secret: Bytes;
  /** x-only. */
  readonly publicKey: Bytes;
  /** Where VTXOs come to. */
  readonly vtxo: VtxoScript;
  /** Where coins of the chain come to before they are boarded. */
  readonly boarding: VtxoScript;
  readonly address: string;
}

export function createAccount(secp: Secp, terms: ServerTerms, secret: Bytes): Account {
  const { signer, network } = terms;
  const publicKey = secp.publicKey(secret).slice(1);
  const vtxo = defaultVtxo(secp, publicKey, signer, terms.unilateralExitDelay);
  const prefix = network === 'mainnet' ? 'ark' : 'tark';
  return {
    secret,
    publicKey,
    vtxo,
    boarding: defaultVtxo(secp, publicKey, signer, terms.boardingExitDelay),
    address: printArkAddress({ prefix, signer, outputKey: vtxo.outputKey }),
  };
}

const scriptFor = (account: Account, kind: CoinKind): VtxoScript =>
  kind === 'boarding' ? account.boarding : account.vtxo;

/** A coin of the account's default scripts, to be spent through the leaf it shares with the server. */
export function coinOf(
  account: Account,
  kind: Exclude<CoinKind, 'note'>,
  outpoint: Outpoint,
  amount: bigint,
  assets: readonly AssetAmount[] = [],
): Coin {
  const vtxo = scriptFor(account, kind);
  const [shared] = vtxo.scripts;
  const leaf = leafOfVtxo(vtxo, shared!)!;
  return { kind, outpoint, amount, script: vtxo.script, leaf, tapTree: vtxo.scripts, assets };
}

export function coinOfNote(secp: Secp, note: Note): Coin {
  const { outpoint, value, script, leaf, controlBlock } = noteVtxo(secp, note);
  return {
    kind: 'note',
    outpoint,
    amount: value,
    script,
    leaf: { script: leaf, controlBlock, hash: leafHash(leaf) },
    tapTree: [leaf],
    condition: [note.preimage],
  };
}

/** Signs for the account with fresh randomness. */
export const signerOf = ({ secp, random }: ArkClient, { secret }: Account): LeafSigner =>
  secretSigner(secp, secret, random(32));

/** A message with the proof that the account may dispose of `coins`, as calls carry it. */
export function signedIntent(
  { secp, random }: ArkClient,
  account: Account,
  message: IntentMessage,
  coins: readonly Coin[],
  outputs: readonly TxOut[] = [],
): { readonly proof: string; readonly message: string } {
  const text = printIntentMessage(message);
  const proof = buildIntentProof(text, coins, outputs);
  return { proof: psbtBase64(signLeaves(secp, proof, account.secret, random(32), SIGHASH.ALL)), message: text };
}
