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
import { joinBatch } from '../support/sdk-batch.ts';

const AMOUNT = 10_000;

describe('a VHTLC', () => {
  const ark = useArk();

  interface Contract {
    readonly payer: Wallet;
    readonly sender: Identity;
    readonly receiver: SingleKey;
    readonly script: VHTLC.Script;
    readonly refundHeight: number;
    readonly refundTime: number;
  }
  const preimage = new Uint8Array(32).fill(7);

  /** What the next block may be locked by: the median of the last ones' times. */
  async function medianTime(): Promise<number> {
    const [tip] = (await (await fetch(`${ark.ready.chain.esplora}/blocks`)).json()) as { mediantime: number }[];
    return tip!.mediantime;
  }

  /** Funded with `AMOUNT`, refundable after three more blocks, or a second later than now as blocks tell it. */
  async function lockUp(by: 'height' | 'time' = 'height'): Promise<Contract> {
    const payer = await ark.wallet();
    const [sender, receiver] = [SingleKey.fromRandomBytes(), SingleKey.fromRandomBytes()];
    await ark.board(payer, AMOUNT);
    const refundHeight = (await ark.mine(1)) + 3;
    const refundTime = (await medianTime()) + 1;
    const delay = (value: bigint) => ({ type: 'blocks', value }) as const;
    const script = new VHTLC.Script({
      sender: await sender.xOnlyPublicKey(),
      receiver: await receiver.xOnlyPublicKey(),
      server: payer.arkServerPublicKey,
      preimageHash: ripemd160(sha256(preimage)),
      refundLocktime: BigInt(by === 'time' ? refundTime : refundHeight),
      unilateralClaimDelay: delay(20n),
      unilateralRefundDelay: delay(22n),
      unilateralRefundWithoutReceiverDelay: delay(24n),
    });
    const address = script.address(networks.regtest.hrp, payer.arkServerPublicKey).encode();
    await payer.sendBitcoin({ address, amount: AMOUNT });
    return { payer, sender, receiver, script, refundHeight, refundTime };
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

  test('is refunded when the chain has reached a time', async () => {
    const contract = await lockUp('time');
    const refund = () => spend(contract, contract.script.refundWithoutReceiver(), [contract.sender]);
    await assert.rejects(refund, (error: ArkError) => {
      assert.ok(error instanceof ArkError);
      assert.deepEqual([error.code, error.name], [11, 'FORFEIT_CLOSURE_LOCKED']);
      const [locktime, current] = [`${contract.refundTime}`, `${contract.refundTime - 1}`];
      assert.deepEqual(error.metadata, { locktime, current_locktime: current, type: 'time' });
      return true;
    });
    // Every block is later than the median before it, so that of eleven it is.
    await ark.mine(11);
    await refund();
    await expectBalance(contract.payer, { preconfirmed: AMOUNT });
  });

  test('is claimed in a batch, too', async () => {
    const { payer, script, receiver } = await lockUp();
    const claimer = await ark.wallet();
    const { vtxos } = await payer.indexerProvider.getVtxos({ scripts: [toHex(script.pkScript)], spendableOnly: true });
    const coin = { ...vtxos[0]!, intentTapLeafScript: script.claim(), forfeitTapLeafScript: script.claim() };
    await joinBatch(payer.arkProvider, receiver, {
      coin: { ...coin, tapTree: script.encode(), extraWitness: [preimage] },
      output: { script: claimer.arkAddress.pkScript, amount: BigInt(AMOUNT) },
    });
    await expectBalance(claimer, { settled: AMOUNT });
  });

  test('is claimed on chain when the server is of no help, after the delay and with the preimage', async () => {
    const { payer, script, receiver } = await lockUp();
    const [vtxo] = (await payer.indexerProvider.getVtxos({ scripts: [toHex(script.pkScript)] })).vtxos;
    const claimer = await ark.onchainWallet({ identity: receiver });
    await ark.faucet((await ark.onchainWallet(payer)).address, 100_000);
    await ark.unroll(payer, vtxo!);
    const leaf = script.unilateralClaim();
    const tx = new Transaction({ version: 2 });
    tx.addInput({
      txid: vtxo!.txid,
      index: vtxo!.vout,
      witnessUtxo: { amount: BigInt(AMOUNT), script: script.pkScript },
      tapLeafScript: [leaf],
      sequence: 20,
    });
    tx.addOutputAddress(claimer.address, BigInt(AMOUNT - 1_000), networks.regtest);
    const signed = await receiver.sign(tx);
    signed.finalize();
    const [signature, ...rest] = signed.getInput(0).finalScriptWitness!;
    signed.updateInput(0, { finalScriptWitness: [signature!, preimage, ...rest] });
    const claim = () => claimer.provider.broadcastTransaction(toHex(signed.toBytes(true, true)));
    await assert.rejects(claim, /non-BIP68-final/);
    await ark.mine(20);
    assert.equal(await claim(), signed.id);
  });
});
