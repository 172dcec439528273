/** A virtual hash time lock contract, as swaps use it: claimed with the preimage, refunded by both, or by the sender alone later. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ArkError,
  buildOffchainTx,
  ConditionWitness,
  CSVMultisigTapscript,
  type Identity,
  networks,
  SingleKey,
  setArkPsbtField,
  type TapLeafScript,
  Transaction,
  VHTLC,
  type Wallet,
} from '@arkade-os/sdk';
import { fromBase64, fromHex, toBase64, toHex } from '../../src/base/bytes.ts';
import { ripemd160, sha256 } from '../../src/crypto/hash.ts';
import { expectBalance, useArk } from '../support/sdk.ts';

const AMOUNT = 10_000;

describe('a VHTLC', () => {
  const ark = useArk();

  interface Contract {
    readonly payer: Wallet;
    readonly sender: Identity;
    readonly receiver: Identity;
    readonly script: VHTLC.Script;
    readonly refundHeight: number;
  }
  const preimage = new Uint8Array(32).fill(7);

  /** Funded with `AMOUNT`, refundable after three more blocks. */
  async function lockUp(): Promise<Contract> {
    const payer = await ark.wallet();
    const [sender, receiver] = [SingleKey.fromRandomBytes(), SingleKey.fromRandomBytes()];
    await ark.board(payer, AMOUNT);
    const refundHeight = (await ark.mine(1)) + 3;
    const delay = (value: bigint) => ({ type: 'blocks', value }) as const;
    const script = new VHTLC.Script({
      sender: await sender.xOnlyPublicKey(),
      receiver: await receiver.xOnlyPublicKey(),
      server: payer.arkServerPublicKey,
      preimageHash: ripemd160(sha256(preimage)),
      refundLocktime: BigInt(refundHeight),
      unilateralClaimDelay: delay(20n),
      unilateralRefundDelay: delay(22n),
      unilateralRefundWithoutReceiverDelay: delay(24n),
    });
    const address = script.address(networks.regtest.hrp, payer.arkServerPublicKey).encode();
    await payer.sendBitcoin({ address, amount: AMOUNT });
    return { payer, sender, receiver, script, refundHeight };
  }

  /** Spends the contract to its payer through `leaf`, everybody of `signers` signing. */
  async function spend(
    { payer, script }: Contract,
    leaf: TapLeafScript,
    signers: readonly Identity[],
    secret?: Uint8Array,
  ) {
    const { arkProvider, indexerProvider } = payer;
    const { vtxos } = await indexerProvider.getVtxos({ scripts: [toHex(script.pkScript)], spendableOnly: true });
    const inputs = vtxos.map((vtxo) => ({ ...vtxo, tapLeafScript: leaf, tapTree: script.encode() }));
    const outputs = [{ script: payer.arkAddress.pkScript, amount: BigInt(AMOUNT) }];
    const { checkpointTapscript } = await arkProvider.getInfo();
    const { arkTx, checkpoints } = buildOffchainTx(
      inputs,
      outputs,
      CSVMultisigTapscript.decode(fromHex(checkpointTapscript)),
    );
    const sign = async (unsigned: Transaction): Promise<string> => {
      let tx = unsigned.clone();
      if (secret) setArkPsbtField(tx, 0, ConditionWitness, [secret]);
      for (const signer of signers) tx = await signer.sign(tx, [0]);
      return toBase64(tx.toPSBT());
    };
    const { arkTxid, signedCheckpointTxs } = await arkProvider.submitTx(
      await sign(arkTx),
      checkpoints.map((checkpoint) => toBase64(checkpoint.toPSBT())),
    );
    const final = signedCheckpointTxs.map((text) => sign(Transaction.fromPSBT(fromBase64(text))));
    await arkProvider.finalizeTx(arkTxid, await Promise.all(final));
  }

  test('is claimed with the preimage, by the receiver only', async () => {
    const contract = await lockUp();
    const { payer, script, receiver } = contract;
    await assert.rejects(spend(contract, script.claim(), [], preimage), { name: 'ARK_TX_INPUT_NOT_SIGNED' });
    const wrong = new Uint8Array(32).fill(8);
    await assert.rejects(spend(contract, script.claim(), [receiver], wrong), { name: 'INVALID_SIGNATURE' });
    await spend(contract, script.claim(), [receiver], preimage);
    await expectBalance(payer, { preconfirmed: AMOUNT });
  });

  test('is refunded when both agree', async () => {
    const contract = await lockUp();
    await spend(contract, contract.script.refund(), [contract.sender, contract.receiver]);
    await expectBalance(contract.payer, { preconfirmed: AMOUNT });
  });

  test('is refunded to the sender alone once its time has come, and not before', async () => {
    const contract = await lockUp();
    const refund = () => spend(contract, contract.script.refundWithoutReceiver(), [contract.sender]);
    await assert.rejects(refund, (error: ArkError) => {
      assert.ok(error instanceof ArkError);
      assert.deepEqual([error.code, error.name], [11, 'FORFEIT_CLOSURE_LOCKED']);
      const [locktime, current] = [`${contract.refundHeight}`, `${contract.refundHeight - 3}`];
      assert.deepEqual(error.metadata, { locktime, current_locktime: current, type: 'height' });
      return true;
    });
    await ark.mine(2);
    await assert.rejects(refund, { name: 'FORFEIT_CLOSURE_LOCKED' });
    await ark.mine(1);
    await refund();
    await expectBalance(contract.payer, { preconfirmed: AMOUNT });
  });
});
