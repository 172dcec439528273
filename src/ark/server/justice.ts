/**
 * Answers VTXOs that were put on chain although they were spent: paid on off-chain, their checkpoint follows, so that
 * the receiver keeps what is theirs and the server can take back the rest; settled in a batch, the forfeit follows, once
 * the connector it needs is on chain. Each step waits for a confirmation, as a TRUC transaction has one unconfirmed
 * parent at most. Looks again at every block and remembers nothing that the chain and the books do not say.
 */
import { equal, type OutpointKey, parseOutpoint, type Txid } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import { type Psbt, parsePsbt, prevoutsOf, withInput } from '../../bitcoin/psbt.ts';
import { taprootSighash } from '../../bitcoin/sighash.ts';
import { toSequence } from '../../bitcoin/timelock.ts';
import { type Tx, type TxOut, txIn, txidOf, vsizeOf } from '../../bitcoin/tx.ts';
import type { Tip } from '../../chain/chain.ts';
import { completeForfeit } from '../protocol/forfeit.ts';
import { finalize, keysAmong, leafOfVtxo, revealedLeaf, withClosure } from '../protocol/leaf-spend.ts';
import { checkpointScript } from '../protocol/offchain.ts';
import type { ArkContext } from './context.ts';
import type { FeeBumper } from './fee-bumper.ts';
import { checkpointTapscript } from './offchain.ts';
import { forfeitOf, treeTxById } from './store/batches.ts';
import { checkpointById, offchainTxById } from './store/offchain.ts';
import { spentAndUnrolled, type Vtxo } from './store/vtxos.ts';

export interface Justice {
  /** Takes the next step of every open case. */
  pursue(): Promise<void>;
}

/** `open` cases are looked at again at the next block. */
type Verdict = 'open' | 'closed';

/** What became of an unrolled VTXO's output; `waiting` for its confirmation, or for somebody else to act first. */
type Fate = 'waiting' | 'unspent' | 'answered' | 'lost';

/**
 * Confirmations before the server broadcasts a checkpoint. Most who unroll a spent VTXO are its receivers on their way
 * out, and broadcast the checkpoint themselves in the very next block; the server's child would only be in their way.
 */
const RECEIVERS_TURN = 2;
const SWEEP_VERSION = 2;
const CONFIRM_WITHIN_BLOCKS = 6;

export function createJustice(ctx: ArkContext, bumper: FeeBumper): Justice {
  const { chain, db, log, signer } = ctx;
  const closed = new Set<OutpointKey>();

  async function pursue(): Promise<void> {
    const tip = await chain.tip();
    for (const vtxo of await spentAndUnrolled(db)) {
      if (closed.has(vtxo.outpoint)) continue;
      try {
        if ((await (vtxo.arkTxid ? enforceCheckpoint(vtxo, tip) : enforceForfeit(vtxo, tip))) === 'closed') {
          closed.add(vtxo.outpoint);
        }
      } catch (error) {
        log.error({ err: error, outpoint: vtxo.outpoint }, 'could not act on an unrolled VTXO that was spent');
      }
    }
  }

  /** What became of an unrolled VTXO's output. The server's turn comes once it has `patience` confirmations. */
  async function fateOf(vtxo: Vtxo, answer: Txid, patience: number, tip: Tip): Promise<Fate> {
    const output = await chain.output(parseOutpoint(vtxo.outpoint));
    if (!output?.confirmation) return 'waiting';
    if (!output.spentBy) return tip.height - output.confirmation.height + 1 < patience ? 'waiting' : 'unspent';
    if (output.spentBy.txid === answer) return 'answered';
    // As long as the other transaction is not in a block it can be replaced, or fail to confirm.
    return output.spentBy.confirmation ? 'lost' : 'unspent';
  }

  function giveUp(vtxo: Vtxo): Verdict {
    ctx.metrics.fraud.add({ kind: vtxo.arkTxid ? 'checkpoint' : 'forfeit', outcome: 'failed' });
    log.error(
      { outpoint: vtxo.outpoint, amount: `${vtxo.amount}` },
      'a spent VTXO was taken on chain before the answer',
    );
    return 'closed';
  }

  async function enforceCheckpoint(vtxo: Vtxo, tip: Tip): Promise<Verdict> {
    const offchain = await offchainTxById(db, vtxo.arkTxid!);
    // Without finality the sender never signed the checkpoint: it was the sender's to take.
    if (offchain?.finalizedAt === undefined) return 'open';
    const stored = await checkpointById(db, vtxo.spentBy!);
    invariant(stored, 'a VTXO spent off-chain has its checkpoint');
    const checkpoint = finalize(parsePsbt(stored.psbt));
    switch (await fateOf(vtxo, stored.txid, RECEIVERS_TURN, tip)) {
      case 'waiting':
        return 'open';
      case 'lost':
        return giveUp(vtxo);
      case 'unspent':
        await bumper.broadcast(checkpoint);
        return 'open';
      case 'answered':
        return reclaimCheckpoint(parsePsbt(stored.psbt), tip);
    }
  }

  /** Takes a checkpoint's output back once its delay is over and no ark transaction claimed it. */
  async function reclaimCheckpoint(checkpoint: Psbt, tip: Tip): Promise<Verdict> {
    const outpoint = { txid: txidOf(checkpoint.tx), vout: 0 };
    const output = await chain.output(outpoint);
    if (!output?.confirmation) return 'open';
    if (output.spentBy) return output.spentBy.confirmation ? 'closed' : 'open';
    if (!equal(ownExit(checkpoint).vtxo.script, output.script)) {
      log.error({ checkpoint: outpoint.txid }, 'a checkpoint has the exit delay of an older configuration');
      return 'closed';
    }
    const { checkpointExitDelay: delay, dust } = ctx.settings();
    const { height, blockTime } = output.confirmation;
    const waited = delay.type === 'blocks' ? tip.height + 1 - height : tip.medianTime - blockTime;
    if (waited < delay.value) return 'open';
    const rate = await chain.feeRate(CONFIRM_WITHIN_BLOCKS);
    const prevout = { value: output.value, script: output.script };
    const draft = (value: bigint): Tx => ({
      version: SWEEP_VERSION,
      inputs: [txIn(outpoint, toSequence(delay))],
      outputs: [{ value, script: ctx.wallet.script }],
      locktime: 0,
    });
    const value = prevout.value - BigInt(Math.ceil(vsizeOf(signReclaim(checkpoint, draft(0n), prevout)) * rate));
    if (value < dust) return 'closed';
    const txid = await chain.broadcast(signReclaim(checkpoint, draft(value), prevout));
    log.info({ txid, checkpoint: outpoint.txid }, 'took a checkpoint back');
    return 'open';
  }

  /** The script of a checkpoint's output under the delay in force, and the server's leaf in it. */
  function ownExit(checkpoint: Psbt) {
    const own = checkpointTapscript(ctx);
    const collaborative = revealedLeaf(checkpoint.inputs[0]!);
    invariant(collaborative, 'a checkpoint reveals its leaf');
    const vtxo = checkpointScript(ctx.secp, own, collaborative.script);
    const leaf = leafOfVtxo(vtxo, own);
    invariant(leaf, 'a checkpoint has the exit of the server');
    return { vtxo, leaf };
  }

  function signReclaim(checkpoint: Psbt, tx: Tx, prevout: TxOut): Tx {
    const { leaf } = ownExit(checkpoint);
    const message = taprootSighash(tx, 0, [prevout], { leafHash: leaf.hash });
    invariant(message, 'a reclaim has a sighash');
    const witness = [signer.sign('forfeit', message), leaf.script, leaf.controlBlock];
    return { ...tx, inputs: tx.inputs.map((input) => ({ ...input, witness })) };
  }

  async function enforceForfeit(vtxo: Vtxo, tip: Tip): Promise<Verdict> {
    const forfeit = await forfeitOf(db, vtxo.outpoint);
    // Settled as recoverable: there was no forfeit, and no branch left to unroll either.
    if (!forfeit) return 'closed';
    const connector = parseOutpoint(forfeit.connector).txid;
    switch (await fateOf(vtxo, forfeit.txid, 1, tip)) {
      case 'waiting':
        // The connector takes blocks of its own to get there, so it sets out as soon as the VTXO is seen.
        await raiseConnector(connector);
        return 'open';
      case 'lost':
        return giveUp(vtxo);
      case 'answered':
        return (await chain.transaction(forfeit.txid))?.confirmation ? 'closed' : 'open';
      case 'unspent':
        if (await raiseConnector(connector)) await bumper.broadcast(signForfeit(parsePsbt(forfeit.psbt)));
        return 'open';
    }
  }

  /** Brings the branch down to a connector on chain, one transaction a block. True once the connector is confirmed. */
  async function raiseConnector(leaf: Txid): Promise<boolean> {
    const found = await chain.transaction(leaf);
    if (found) return found.confirmation !== undefined;
    const node = await treeTxById(db, leaf);
    invariant(node, 'a forfeit names a connector of its batch');
    const parent = await chain.transaction(node.parentTxid);
    const ready = parent ? parent.confirmation !== undefined : await raiseConnector(node.parentTxid);
    if (ready) await bumper.broadcast(signConnector(parsePsbt(node.psbt)));
    return false;
  }

  const signConnectorInput = (tx: Tx, index: number, prevouts: readonly TxOut[]): Uint8Array => {
    const message = taprootSighash(tx, index, prevouts);
    invariant(message, 'a connector input has a sighash');
    return signer.sign('connector', message);
  };

  function signConnector(psbt: Psbt): Tx {
    const tapKeySig = signConnectorInput(psbt.tx, 0, prevoutsOf(psbt)!);
    return finalize(withInput(psbt, 0, { tapKeySig }));
  }

  function signForfeit(psbt: Psbt): Tx {
    const vtxoIndex = psbt.inputs[0]!.tapLeafScripts.length > 0 ? 0 : 1;
    const revealed = revealedLeaf(psbt.inputs[vtxoIndex]!);
    const leaf = revealed && withClosure(revealed);
    const [signerKey] = leaf ? keysAmong(leaf.closure, ctx.signers.all()) : [];
    invariant(leaf && signerKey, 'a stored forfeit reveals its leaf, which asks for a key of the server');
    return completeForfeit(
      { psbt, vtxoIndex, leaf },
      {
        signer: ctx.signers.signerOf(signerKey),
        connectorWitness: (tx, index, prevouts) => [signConnectorInput(tx, index, prevouts)],
      },
    );
  }

  return { pursue };
}
