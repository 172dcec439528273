import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArkNote, ConditionWitness, Intent, VHTLC } from '@arkade-os/sdk';
import fc from 'fast-check';
import { printExtension } from '../../../../src/ark/protocol/extension.ts';
import { buildIntentProof, parseIntentProof, toSpend } from '../../../../src/ark/protocol/intent.ts';
import { leafOfVtxo, signLeaves } from '../../../../src/ark/protocol/leaf-spend.ts';
import { noteVtxo } from '../../../../src/ark/protocol/note.ts';
import { conditionPair, withPairs } from '../../../../src/ark/protocol/psbt-fields.ts';
import { vtxoScript } from '../../../../src/ark/protocol/vtxo.ts';
import { type Bytes, fromHex, outpointKey } from '../../../../src/base/bytes.ts';
import { sats } from '../../../../src/base/units.ts';
import { type Psbt, parsePsbt, psbtBase64, withInput } from '../../../../src/bitcoin/psbt.ts';
import { p2tr } from '../../../../src/bitcoin/script.ts';
import { SIGHASH } from '../../../../src/bitcoin/sighash.ts';
import { controlBlock, leafHash, NUMS_KEY, outputKey, tapTweak } from '../../../../src/bitcoin/taproot.ts';
import { txidOf } from '../../../../src/bitcoin/tx.ts';
import { ripemd160, sha256 } from '../../../../src/crypto/hash.ts';
import { identity, MESSAGE, output, parse, SIGNERS, sdkCoin, sdkProof } from './sdk-intents.ts';
import { sdkVtxo, vtxo } from './sdk-wallet.ts';
import { AUX, codeOf, flip, outpoint, owner, receiver, refusesOrAccepts, secp, signer } from './support.ts';

test('the made-up transaction and the proof have the ids of the SDK', async () => {
  assert.equal(
    txidOf(toSpend(MESSAGE, vtxo.script)),
    '9d39e71265390231375d8bec24289f8a9a26311b49921234daf7c859e0d66ad1',
  );
  const proof = parse(await sdkProof());
  assert.equal(proof.txid, 'd1bdd10495a4dc87a2c3b1098275298441a256f9e9c719c617c47ddb96d9ab82');
});

test('a proof that the SDK signed is accepted and read', async () => {
  const coins = [sdkCoin(0x11, 10_000n), sdkCoin(0x12, 500n), sdkCoin(0x13, 7n)];
  const proof = parse(await sdkProof(MESSAGE, coins));
  assert.deepEqual(
    proof.coins.map(({ outpoint, amount }) => [outpointKey(outpoint), amount]),
    [0x11, 0x12, 0x13].map((byte, i) => [outpointKey(outpoint(byte)), [10_000n, 500n, 7n][i]]),
  );
  const [coin] = proof.coins;
  assert.deepEqual(coin!.script, vtxo.script);
  assert.deepEqual(coin!.tapTree, vtxo);
  assert.equal(coin!.leaf.closure?.kind, 'multisig');
  assert.deepEqual(proof.outputs, [{ value: 10_000n, script: vtxo.script }]);
  assert.equal(proof.extension, undefined);
});

test('a proof without outputs asks for none', async () => {
  const message = Intent.encodeMessage({ type: 'delete', expire_at: 0 });
  assert.deepEqual(parse(await sdkProof(message, undefined, []), message).outputs, []);
});

test('the proof we build is the one the SDK builds, and its signatures count', async () => {
  const coin = {
    outpoint: outpoint(0x11),
    amount: 10_000n,
    script: vtxo.script,
    leaf: leafOfVtxo(vtxo, vtxo.scripts[0]!)!,
    tapTree: vtxo.scripts,
  };
  const built = buildIntentProof(MESSAGE, [coin], [{ value: 10_000n, script: vtxo.script }]);
  const sdk = await sdkProof();
  assert.equal(txidOf(built.tx), txidOf(sdk.tx));
  assert.deepEqual(built.globals, sdk.globals);
  for (const type of [SIGHASH.DEFAULT, SIGHASH.ALL]) parse(signLeaves(secp, built, owner.secret, AUX, type));
  const proofOnly = buildIntentProof(MESSAGE, [coin]);
  assert.deepEqual(parse(signLeaves(secp, proofOnly, owner.secret, AUX)).outputs, []);
});

test('an exit leaf proves ownership too, with no signature of the server', async () => {
  const proof = parse(
    await sdkProof(MESSAGE, [{ ...sdkCoin(0x11, 10_000n, sdkVtxo, sdkVtxo.leaves[1]!), sequence: 20 } as never]),
  );
  assert.deepEqual([proof.coins[0]!.leaf.closure?.kind, proof.coins[0]!.sequence], ['csv', 20]);
});

const preimage = new Uint8Array(32).fill(0x42);
const htlc = new VHTLC.Script({
  sender: receiver.xonly,
  receiver: owner.xonly,
  server: signer.xonly,
  preimageHash: ripemd160(sha256(preimage)),
  refundLocktime: 1000n,
  unilateralClaimDelay: { type: 'blocks', value: 20n },
  unilateralRefundDelay: { type: 'blocks', value: 22n },
  unilateralRefundWithoutReceiverDelay: { type: 'blocks', value: 23n },
});

test('a hash-locked leaf wants its preimage', async () => {
  const claim = (items: readonly Bytes[] | undefined) => {
    const coin = sdkCoin(0x11, 10_000n, htlc, htlc.claim());
    return items ? { ...coin, unknown: [...coin.unknown, ConditionWitness.encode([...items])] } : coin;
  };
  const proof = parse(await sdkProof(MESSAGE, [claim([preimage])]));
  assert.deepEqual(proof.coins[0]!.condition, [preimage]);
  assert.equal(proof.coins[0]!.leaf.closure?.kind, 'condition');
  for (const items of [undefined, [], [flip(preimage)], [preimage, preimage], [new Uint8Array(81)]]) {
    const psbt = await sdkProof(MESSAGE, [claim(items)]);
    assert.equal(
      codeOf(() => parse(psbt)),
      'INVALID_INTENT_PROOF',
    );
  }
});

test('a note is redeemed by its preimage alone, beside coins that are signed for', async () => {
  const note = new ArkNote(preimage, 5000);
  const withNote = Intent.create(MESSAGE, [note as never, sdkCoin(0x11, 10_000n)], [output]);
  const psbt = parsePsbt((await identity.sign(withNote, [2])).toPSBT());
  const proof = parse(psbt);
  assert.deepEqual(
    proof.coins.map(({ leaf }) => leaf.closure?.kind),
    [undefined, 'multisig'],
  );
  assert.deepEqual(proof.coins[0]!.outpoint, noteVtxo(secp, { preimage, value: sats(5000) }).outpoint);
  assert.equal(proof.coins[0]!.tapTree, undefined);
  const spoil = (items: readonly Bytes[]): Psbt =>
    withInput(psbt, 1, { rest: withPairs(psbt.inputs[1]!, conditionPair(items)).rest });
  for (const items of [[], [flip(preimage)], [preimage, preimage]]) {
    assert.equal(
      codeOf(() => parse(spoil(items))),
      'INVALID_INTENT_PROOF',
    );
  }
});

test('an extension is read, and only a sound one with no value', async () => {
  const other = { amount: 0n, script: printExtension([{ type: 9, data: fromHex('0102') }]) };
  const read = async (...extensions: { amount: bigint; script: Bytes }[]) => {
    const psbt = await sdkProof(MESSAGE, undefined, [output, ...extensions]);
    return () => parse(psbt);
  };
  const proof = (await read(other))();
  assert.deepEqual(proof.extension, [{ type: 9, data: fromHex('0102') }]);
  assert.equal(proof.outputs.length, 2);
  assert.equal(codeOf(await read(other, other)), 'INVALID_INTENT_PSBT');
  assert.equal(codeOf(await read({ ...other, amount: 1n })), 'INVALID_INTENT_PSBT');
  assert.equal(codeOf(await read({ amount: 0n, script: fromHex('6a0341524b') })), 'INVALID_INTENT_PROOF');
  assert.equal(codeOf(await read({ amount: 0n, script: fromHex('6a0641524b000100') })), 'ASSET_PACKET_INVALID');
});

test('a proof binds its message to the letter', async () => {
  const psbt = await sdkProof();
  for (const message of [MESSAGE.replace(':0', ':1'), `${MESSAGE} `, '', '\ud800']) {
    assert.match(
      codeOf(() => parse(psbt, message)),
      /^INVALID_INTENT_(PROOF|MESSAGE)$/,
    );
  }
});

test('the server is excused from signing, nobody else, and never everybody', async () => {
  const psbt = await sdkProof();
  assert.equal(
    codeOf(() => parse(psbt, MESSAGE, [])),
    'INVALID_INTENT_PROOF',
  );
  assert.equal(
    codeOf(() => parse(psbt, MESSAGE, [receiver.xonly])),
    'INVALID_INTENT_PROOF',
  );
  parse(psbt, MESSAGE, [receiver.xonly, signer.xonly]);
  assert.equal(
    codeOf(() => parse(psbt, MESSAGE, [owner.xonly, signer.xonly])),
    'INVALID_INTENT_PROOF',
  );
});

test('a leaf that is neither closure nor note proves nothing', () => {
  const script = fromHex('51');
  const { xonly, parity } = outputKey(secp, NUMS_KEY, leafHash(script));
  const leaf = { script, controlBlock: controlBlock(NUMS_KEY, parity, []) };
  const coin = { outpoint: outpoint(0x11), amount: 1000n, script: p2tr(xonly), leaf, tapTree: [script] };
  assert.equal(
    codeOf(() => parse(buildIntentProof(MESSAGE, [coin]))),
    'INVALID_PSBT_INPUT',
  );
});

test('a key path that somebody knows is no VTXO, whatever its leaves say', () => {
  const leaf = leafOfVtxo(vtxo, vtxo.scripts[0]!)!;
  const own = vtxoScript(secp, vtxo.scripts);
  const controlBlock = Uint8Array.from(leaf.controlBlock);
  controlBlock.set(owner.xonly, 1);
  const tweaked = secp.tweakXonly(owner.xonly, tapTweak(owner.xonly, own.root))!;
  controlBlock[0] = 0xc0 | tweaked.parity;
  const coin = {
    outpoint: outpoint(0x11),
    amount: 1000n,
    script: p2tr(tweaked.xonly),
    leaf: { ...leaf, controlBlock },
    tapTree: vtxo.scripts,
  };
  const signed = signLeaves(secp, buildIntentProof(MESSAGE, [coin]), owner.secret, AUX);
  assert.equal(
    codeOf(() => parse(signed)),
    'INVALID_PSBT_INPUT',
  );
});

test('a proof that is too heavy is refused before anything is verified', async () => {
  const psbt = await sdkProof();
  const weigh = (limit: number) => () => parseIntentProof(secp, psbtBase64(psbt), MESSAGE, SIGNERS, limit);
  weigh(2000)();
  assert.equal(codeOf(weigh(500)), 'TX_TOO_LARGE');
});

test('whatever is done to the bytes, there is an answer', async () => {
  const bytes = parsePsbt(psbtBase64(await sdkProof()));
  const raw = Uint8Array.from(atob(psbtBase64(bytes)), (char) => char.charCodeAt(0));
  fc.assert(
    fc.property(fc.nat(raw.length - 1), fc.nat(255), (at, byte) => {
      const copy = Uint8Array.from(raw);
      copy[at] = byte;
      refusesOrAccepts(() => parseIntentProof(secp, btoa(String.fromCharCode(...copy)), MESSAGE, SIGNERS));
    }),
    { numRuns: 500 },
  );
  fc.assert(fc.property(fc.string(), (text) => refusesOrAccepts(() => parseIntentProof(secp, text, MESSAGE, SIGNERS))));
});
