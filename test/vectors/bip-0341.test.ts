import assert from 'node:assert/strict';
import { type Bytes, fromHex, toHex } from '../../src/base/bytes.ts';
import { addressOf } from '../../src/bitcoin/address.ts';
import { STANDARD_FLAGS, verifyTx } from '../../src/bitcoin/interpreter/verify.ts';
import { p2tr } from '../../src/bitcoin/script.ts';
import { taprootSighash } from '../../src/bitcoin/sighash.ts';
import { branchHash, controlBlock, isCommitted, leafHash, outputKey, tapTweak } from '../../src/bitcoin/taproot.ts';
import { parseTx, type TxOut } from '../../src/bitcoin/tx.ts';
import { txHashes } from '../../src/bitcoin/tx-hashes.ts';
import { noble } from '../../src/crypto/noble.ts';
import { loadSecp } from '../../src/runtime/secp-wasm.ts';
import { parseVectors, vectorTest } from '../support/vectors.ts';

const FILE = 'bip-0341/wallet-test-vectors.json';

interface Leaf {
  readonly id: number;
  readonly script: string;
  readonly leafVersion: number;
}
type Tree = Leaf | readonly [Tree, Tree];
interface OutputCase {
  readonly given: { readonly internalPubkey: string; readonly scriptTree: Tree | null };
  readonly intermediary: {
    readonly leafHashes?: readonly string[];
    readonly merkleRoot: string | null;
    readonly tweak: string;
    readonly tweakedPubkey: string;
  };
  readonly expected: {
    readonly scriptPubKey: string;
    readonly bip350Address: string;
    readonly scriptPathControlBlocks?: readonly string[];
  };
}
interface KeyPathCase {
  readonly given: {
    readonly rawUnsignedTx: string;
    readonly utxosSpent: readonly { readonly scriptPubKey: string; readonly amountSats: number }[];
  };
  readonly intermediary: Readonly<Record<'hashOutputs' | 'hashPrevouts' | 'hashSequences', string>>;
  readonly inputSpending: readonly {
    readonly given: {
      readonly txinIndex: number;
      readonly internalPrivkey: string;
      readonly merkleRoot: string | null;
      readonly hashType: number;
    };
    readonly intermediary: { readonly tweak: string; readonly tweakedPrivkey: string; readonly sigHash: string };
    readonly expected: { readonly witness: readonly [string] };
  }[];
  readonly auxiliary: { readonly fullySignedTx: string };
}
interface Vectors {
  readonly scriptPubKey: readonly OutputCase[];
  readonly keyPathSpending: readonly KeyPathCase[];
}

/** A leaf with its path to the root, nearest sibling first. */
interface Placed {
  readonly leaf: Leaf;
  readonly path: readonly Bytes[];
}

function place(tree: Tree): { hash: Bytes; placed: readonly Placed[] } {
  if ('script' in tree) {
    return { hash: leafHash(fromHex(tree.script), tree.leafVersion), placed: [{ leaf: tree, path: [] }] };
  }
  const [left, right] = tree.map(place) as [ReturnType<typeof place>, ReturnType<typeof place>];
  const under = (side: typeof left, sibling: Bytes): Placed[] =>
    side.placed.map(({ leaf, path }) => ({ leaf, path: [...path, sibling] }));
  return {
    hash: branchHash(left.hash, right.hash),
    placed: [...under(left, right.hash), ...under(right, left.hash)],
  };
}

vectorTest('BIP341: output keys, addresses and control blocks', FILE, async () => {
  const secp = await loadSecp();
  const { scriptPubKey: cases } = parseVectors<Vectors>(FILE);
  assert.equal(cases.length, 7);
  for (const { given, intermediary, expected } of cases) {
    const internal = fromHex(given.internalPubkey);
    const tree = given.scriptTree && place(given.scriptTree);
    assert.equal(tree && toHex(tree.hash), intermediary.merkleRoot);
    assert.equal(toHex(tapTweak(internal, tree?.hash)), intermediary.tweak);
    const { xonly, parity } = outputKey(secp, internal, tree?.hash);
    assert.equal(toHex(xonly), intermediary.tweakedPubkey);
    assert.equal(toHex(p2tr(xonly)), expected.scriptPubKey);
    assert.equal(addressOf('mainnet', p2tr(xonly)), expected.bip350Address);
    for (const { leaf, path } of tree?.placed ?? []) {
      const code = fromHex(leaf.script);
      assert.equal(toHex(leafHash(code, leaf.leafVersion)), intermediary.leafHashes?.[leaf.id]);
      const control = controlBlock(internal, parity, path, leaf.leafVersion);
      assert.equal(toHex(control), expected.scriptPathControlBlocks?.[leaf.id]);
      assert.ok(isCommitted(secp, control, code, xonly));
      assert.ok(!isCommitted(secp, control, Uint8Array.of(...code, 0x51), xonly));
    }
  }
});

vectorTest('BIP341: signing and verifying key path spends', FILE, async () => {
  const wasm = await loadSecp();
  const { keyPathSpending } = parseVectors<Vectors>(FILE);
  assert.equal(keyPathSpending.length, 1);
  for (const { given, intermediary, inputSpending, auxiliary } of keyPathSpending) {
    const tx = parseTx(given.rawUnsignedTx);
    const prevouts = given.utxosSpent.map(
      (spent): TxOut => ({ value: BigInt(spent.amountSats), script: fromHex(spent.scriptPubKey) }),
    );
    const { outputs, prevouts: outpoints, sequences } = txHashes(tx);
    assert.equal(toHex(outputs), intermediary.hashOutputs);
    assert.equal(toHex(outpoints), intermediary.hashPrevouts);
    assert.equal(toHex(sequences), intermediary.hashSequences);
    for (const { given: input, intermediary: steps, expected } of inputSpending) {
      const root = input.merkleRoot === null ? undefined : fromHex(input.merkleRoot);
      const message = taprootSighash(tx, input.txinIndex, prevouts, { type: input.hashType })!;
      assert.equal(toHex(message), steps.sigHash);
      for (const secp of [noble, wasm]) {
        const secret = fromHex(input.internalPrivkey);
        const tweak = tapTweak(secp.publicKey(secret).slice(1), root);
        assert.equal(toHex(tweak), steps.tweak);
        const tweaked = secp.tweakSecret(secret, tweak);
        assert.equal(toHex(tweaked), steps.tweakedPrivkey);
        const signature = toHex(secp.schnorrSign(message, tweaked, new Uint8Array(32)));
        const type = input.hashType === 0 ? '' : input.hashType.toString(16).padStart(2, '0');
        assert.deepEqual([signature + type], expected.witness);
      }
    }
    assert.equal(verifyTx(wasm, parseTx(auxiliary.fullySignedTx), prevouts, STANDARD_FLAGS), undefined);
  }
});
