/** The transactions that answer fraud, completed with the server's signatures and ready to broadcast. */
import { parseOutpoint } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import { parsePsbt, prevoutsOf, withInput } from '../../bitcoin/psbt.ts';
import { taprootSighash } from '../../bitcoin/sighash.ts';
import type { Tx, TxOut } from '../../bitcoin/tx.ts';
import { completeForfeit } from '../protocol/forfeit.ts';
import { finalize, keysAmong, revealedLeaf, withClosure } from '../protocol/leaf-spend.ts';
import type { ArkContext } from './context.ts';
import { type Forfeit, type TreeTx, treeTxById } from './store/batches.ts';

export interface Answers {
  /** Base64 PSBT of a checkpoint that its owners signed. */
  checkpoint(psbt: string): Tx;
  connector(node: TreeTx): Tx;
  forfeit(forfeit: Forfeit): Tx;
  /** The connector transactions from the commitment down to the one that a forfeit needs, root first. */
  branchTo(forfeit: Forfeit): Promise<readonly TreeTx[]>;
}

export function createAnswers({ db, signer, signers }: ArkContext): Answers {
  const connectorSignature = (tx: Tx, index: number, prevouts: readonly TxOut[]): Uint8Array => {
    const message = taprootSighash(tx, index, prevouts);
    invariant(message, 'a connector input has a sighash');
    return signer.sign('connector', message);
  };

  return {
    checkpoint: (psbt) => finalize(parsePsbt(psbt)),

    connector(node) {
      const psbt = parsePsbt(node.psbt);
      return finalize(withInput(psbt, 0, { tapKeySig: connectorSignature(psbt.tx, 0, prevoutsOf(psbt)!) }));
    },

    forfeit(stored) {
      const psbt = parsePsbt(stored.psbt);
      const vtxoIndex = psbt.inputs[0]!.tapLeafScripts.length > 0 ? 0 : 1;
      const revealed = revealedLeaf(psbt.inputs[vtxoIndex]!);
      const leaf = revealed && withClosure(revealed);
      const [signerKey] = leaf ? keysAmong(leaf.closure, signers.all()) : [];
      invariant(leaf && signerKey, 'a stored forfeit reveals its leaf, which asks for a key of the server');
      return completeForfeit(
        { psbt, vtxoIndex, leaf },
        {
          signer: signers.signerOf(signerKey),
          connectorWitness: (tx, index, prevouts) => [connectorSignature(tx, index, prevouts)],
        },
      );
    },

    async branchTo({ connector }) {
      const branch: TreeTx[] = [];
      let node = await treeTxById(db, parseOutpoint(connector).txid);
      for (; node; node = await treeTxById(db, node.parentTxid)) branch.unshift(node);
      invariant(branch.length > 0, 'a forfeit names a connector of its batch');
      return branch;
    },
  };
}
