/** Joins a batch with the parts of the SDK that swap providers use for contracts, which its wallet does not know of. */
import {
  type ArkProvider,
  Batch,
  buildForfeitTx,
  CSVMultisigTapscript,
  type ExtendedCoin,
  type Identity,
  Intent,
  Transaction,
  VtxoScript,
} from '@arkade-os/sdk';
import { fromBase64, fromHex, toBase64, toHex, utf8 } from '../../src/base/bytes.ts';
import { parseAddress } from '../../src/bitcoin/address.ts';
import { leafHash } from '../../src/bitcoin/taproot.ts';
import { sha256 } from '../../src/crypto/hash.ts';

export interface ContractOrder {
  readonly coin: ExtendedCoin;
  /** The VTXO to make of it. */
  readonly output: { readonly script: Uint8Array; readonly amount: bigint };
}

/** Settles one coin of a contract into one VTXO; returns the commitment's txid. */
export async function joinBatch(
  ark: ArkProvider,
  identity: Identity,
  { coin, output }: ContractOrder,
): Promise<string> {
  const { forfeitPubkey, forfeitAddress } = await ark.getInfo();
  const session = identity.signerSession();
  const cosigner = toHex(await session.getPublicKey());
  const message: Intent.RegisterMessage = {
    type: 'register',
    onchain_output_indexes: [],
    valid_at: 0,
    expire_at: 0,
    cosigners_public_keys: [cosigner],
  };
  const proof = await identity.sign(Intent.create(message, [coin], [output]));
  const intentId = await ark.registerIntent({ message, proof: toBase64(proof.toPSBT()) });
  const abortController = new AbortController();
  const events = ark.getEventStream(abortController.signal, [cosigner, `${coin.txid}:${coin.vout}`]);
  let sweepRoot: Uint8Array;

  return Batch.join(
    events,
    {
      async onBatchStarted({ intentIdHashes, batchExpiry }) {
        if (!intentIdHashes.includes(toHex(sha256(utf8(intentId))))) return { skip: true };
        await ark.confirmRegistration(intentId);
        const timelock = { value: batchExpiry, type: batchExpiry >= 512n ? 'seconds' : 'blocks' } as const;
        const pubkeys = [fromHex(forfeitPubkey).slice(1)];
        sweepRoot = leafHash(CSVMultisigTapscript.encode({ timelock, pubkeys }).script);
        return { skip: false };
      },
      async onTreeSigningStarted({ id, unsignedCommitmentTx }, tree) {
        const commitment = Transaction.fromPSBT(fromBase64(unsignedCommitmentTx));
        await session.init(tree, sweepRoot, commitment.getOutput(0).amount!);
        await ark.submitTreeNonces(id, cosigner, await session.getNonces());
        return { skip: false };
      },
      async onTreeNonces({ id, txid, nonces }) {
        const { hasAllNonces } = await session.aggregatedNonces(txid, nonces);
        if (hasAllNonces) await ark.submitTreeSignatures(id, cosigner, await session.sign());
        return { fullySigned: hasAllNonces };
      },
      async onBatchFinalization(_event, _tree, connectors) {
        const [connector] = connectors!.leaves();
        const witnessUtxo = (value: bigint, script: Uint8Array) => ({ amount: value, script });
        const { amount, script } = connector!.getOutput(0);
        const vtxo = {
          txid: coin.txid,
          index: coin.vout,
          witnessUtxo: witnessUtxo(BigInt(coin.value), VtxoScript.decode(coin.tapTree).pkScript),
          tapLeafScript: [coin.forfeitTapLeafScript],
        };
        const tied = { txid: connector!.id, index: 0, witnessUtxo: witnessUtxo(amount!, script!) };
        const forfeit = buildForfeitTx([vtxo, tied], parseAddress('regtest', forfeitAddress));
        const signed = await identity.sign(forfeit, [0]);
        await ark.submitSignedForfeitTxs([toBase64(signed.toPSBT())]);
      },
    },
    { abortController },
  );
}
