/** An honest client in an honest batch, and in one that has no place for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseForfeit } from '../../../../src/ark/protocol/forfeit.ts';
import { outpointKey } from '../../../../src/base/bytes.ts';
import { ProtocolError } from '../../../../src/base/errors.ts';
import { parsePsbt } from '../../../../src/bitcoin/psbt.ts';
import { codeOf, outpoint, secp, signer } from '../protocol/support.ts';
import { boardingCoin, client, DUST, type Lie, mine, ORDER, play, vtxoCoin } from './support.ts';

const paths = ({ calls }: { calls: readonly { route: { path: string } }[] }): string[] =>
  calls.map(({ route }) => route.path.split('/').at(-1)!);

test('an honest batch goes through: confirmation, nonces, partial signatures, debts', () => {
  const run = play(ORDER);
  assert.deepEqual(paths(run), ['ack', 'submitNonces', 'submitSignatures', 'submitForfeitTxs']);
  const outcome = run.session.outcome()!;
  assert.deepEqual(
    outcome.vtxos.map(({ output }) => output.value),
    [60_000n, 9_000n],
  );
  assert.equal(outcome.branch.length, 2);
  assert.ok(outcome.branch.every(({ inputs }) => inputs[0]!.witness[0]!.length === 64));
  const { signedForfeitTxs, signedCommitmentTx } = run.calls.at(-1)!.body as {
    signedForfeitTxs: string[];
    signedCommitmentTx: string;
  };
  const commitment = parsePsbt(signedCommitmentTx);
  assert.equal(commitment.inputs.filter(({ tapScriptSigs }) => tapScriptSigs.length > 0).length, 1);
  const { tx } = parsePsbt(signedForfeitTxs[0]!);
  const connector = {
    outpoint: tx.inputs[1]!.prevout,
    value: DUST,
    script: parsePsbt(signedForfeitTxs[0]!).inputs[1]!.witnessUtxo!.script,
  };
  const coin = { outpoint: vtxoCoin.outpoint, value: vtxoCoin.amount, script: vtxoCoin.script };
  const rules = {
    vtxos: [coin],
    connectors: [connector],
    forfeitScript: client.terms.forfeitScript,
    signers: [signer.xonly],
    tip: { height: 1, medianTime: 1 },
  };
  assert.equal(
    outpointKey(parseForfeit(secp, signedForfeitTxs[0]!, rules).vtxo.outpoint),
    outpointKey(vtxoCoin.outpoint),
  );
});

test('an order of on-chain outputs alone signs no tree', () => {
  const run = play({ coins: [vtxoCoin], receivers: [], onchain: [mine(49_000n)] });
  assert.deepEqual(paths(run), ['ack', 'submitForfeitTxs']);
  assert.deepEqual(run.session.outcome()?.branch, []);
});

test('a forfeit needs as many connectors as there are VTXOs', () => {
  const second = { ...vtxoCoin, outpoint: outpoint(3) };
  const order = { ...ORDER, coins: [vtxoCoin, second, boardingCoin] };
  assert.equal(
    codeOf(() => play(order, { connectors: { count: 1 } })),
    'CONNECTOR_MISSING',
  );
});

test('who is left out of a batch waits for the next, and gives up when enough have failed or the server has', () => {
  const left = play(ORDER, { messages: (messages, phase) => (phase === 'tree' ? messages.slice(-1) : messages) });
  assert.deepEqual(paths(left), ['ack']);
  const failing =
    (rounds: number, more: object[] = []): NonNullable<Lie['messages']> =>
    (messages, phase) => {
      if (phase !== 'start') return [];
      const failures = Array.from({ length: rounds }, (_, round) => [
        { batchStarted: { ...messages[0].batchStarted, id: `${round}` } },
        { batchFailed: { id: `${round}`, reason: 'no luck' } },
      ]);
      return [...failures.flat(), ...more];
    };
  assert.equal(play(ORDER, { messages: failing(15) }).session.outcome(), undefined);
  for (const messages of [failing(16), failing(1, [{ batchFailed: { id: '0', reason: 'given up' } }])]) {
    assert.throws(
      () => play(ORDER, { messages }),
      (error) => error instanceof ProtocolError && error.code === 'BATCH_FAILED',
    );
  }
});

test('messages of other batches, heartbeats and unknown ones are passed over', () => {
  const noise = [
    { heartbeat: {} },
    { streamStarted: { id: 'x' } },
    { news: 1 },
    { batchFailed: { id: 'other', reason: '' } },
    { treeTx: { id: 'other', batchIndex: 0, tx: '', children: {} } },
  ];
  const quiet = noise.slice(0, 4);
  const run = play(ORDER, { messages: (messages) => [...quiet, ...messages] });
  assert.ok(run.session.outcome());
  assert.equal(
    codeOf(() => play(ORDER, { messages: (messages) => [...noise, ...messages] })),
    'MALFORMED_ANSWER',
  );
});
