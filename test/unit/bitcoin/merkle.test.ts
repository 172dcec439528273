import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type Bytes, concat, fromHex, reversed, type Txid, toHex } from '../../../src/base/bytes.ts';
import {
  checkWitnessCommitment,
  merkleProof,
  merkleRoot,
  WITNESS_RESERVED,
  witnessCommitmentOutput,
} from '../../../src/bitcoin/merkle.ts';
import { P2A_SCRIPT } from '../../../src/bitcoin/script.ts';
import { NULL_TXID, type Tx, txIn, txidBytes } from '../../../src/bitcoin/tx.ts';
import { sha256d } from '../../../src/crypto/hash.ts';

/** Bitcoin's block 100,000. */
const TXIDS = [
  '8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87',
  'fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4',
  '6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4',
  'e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d',
] as Txid[];
const ROOT = 'f3e94742aca4b5ef85488dc37c06c3282295ffec960994b2c0d5ac2a25a95766';

const leaf = (seed: number): Bytes => sha256d(Uint8Array.of(seed));
const display = (hash: Bytes): string => toHex(reversed(hash));

/** Where a proof leads, as a light client computes it. */
function follow(txid: Txid, position: number, path: readonly string[]): string {
  let hash = txidBytes(txid);
  for (const [level, sibling] of path.entries()) {
    const other = reversed(fromHex(sibling));
    hash = sha256d((position >> level) & 1 ? concat(other, hash) : concat(hash, other));
  }
  return display(hash);
}

suite('the merkle root', () => {
  test('of a block everybody has', () => {
    assert.equal(display(merkleRoot(TXIDS.map(txidBytes)).root), ROOT);
  });

  test('of one is itself, of none is zero', () => {
    assert.deepEqual(merkleRoot([leaf(1)]), { root: leaf(1), isMutated: false });
    assert.deepEqual(merkleRoot([]), { root: new Uint8Array(32), isMutated: false });
  });

  test('CVE-2012-2459: is the same with the end repeated, and tells', () => {
    const [a, b, c, d, e, f] = [1, 2, 3, 4, 5, 6].map(leaf) as [Bytes, Bytes, Bytes, Bytes, Bytes, Bytes];
    const pairs: readonly [readonly Bytes[], readonly Bytes[]][] = [
      [
        [a, b, c],
        [a, b, c, c],
      ],
      [
        [a, b, c, d, e, f],
        [a, b, c, d, e, f, e, f],
      ],
    ];
    for (const [honest, repeated] of pairs) {
      assert.deepEqual(merkleRoot(honest).root, merkleRoot(repeated).root);
      assert.ok(!merkleRoot(honest).isMutated);
      assert.ok(merkleRoot(repeated).isMutated);
    }
  });
});

suite('a merkle proof', () => {
  test('leads from every transaction to the root, whatever their number', () => {
    for (const count of [1, 2, 3, 4, 5, 6, 7, 8, 9, 13]) {
      const txids = Array.from({ length: count }, (_, i) => display(leaf(i)) as Txid);
      const root = display(merkleRoot(txids.map(txidBytes)).root);
      for (const [position, txid] of txids.entries()) {
        const path = merkleProof(txids, position);
        assert.equal(path.length, Math.ceil(Math.log2(count)));
        assert.equal(follow(txid, position, path), root);
        if (count > 1) assert.notEqual(follow(display(leaf(99)) as Txid, position, path), root);
      }
    }
  });

  test('of a transaction that is not there does not exist', () => {
    assert.throws(() => merkleProof(TXIDS, 4), RangeError);
    assert.throws(() => merkleProof([], 0), RangeError);
  });
});

suite('BIP141: the witness commitment', () => {
  const spend: Tx = {
    version: 2,
    inputs: [{ ...txIn({ txid: TXIDS[0]!, vout: 0 }), witness: [Uint8Array.of(1, 2, 3)] }],
    outputs: [{ value: 1n, script: P2A_SCRIPT }],
    locktime: 0,
  };
  const coinbase = (outputs: Tx['outputs'], witness: readonly Bytes[] = [WITNESS_RESERVED]): Tx => ({
    version: 2,
    inputs: [{ ...txIn({ txid: NULL_TXID, vout: 0xffffffff }), scriptSig: Uint8Array.of(0x51, 0), witness }],
    outputs,
    locktime: 0,
  });
  const reward = { value: 50n, script: P2A_SCRIPT };
  const bare = coinbase([reward], []);
  const committed = (txs: readonly Tx[]): Tx => coinbase([reward, witnessCommitmentOutput([bare, ...txs])]);

  test('binds every witness', () => {
    assert.equal(checkWitnessCommitment([committed([spend]), spend]), undefined);
    const stripped = { ...spend, inputs: spend.inputs.map((input) => ({ ...input, witness: [] })) };
    assert.equal(checkWitnessCommitment([committed([spend]), stripped]), 'bad-witness-merkle-match');
    assert.equal(checkWitnessCommitment([committed([]), spend]), 'bad-witness-merkle-match');
  });

  test('needs its reserved value, and exactly one', () => {
    const { outputs } = committed([spend]);
    const wrong: readonly (readonly Bytes[])[] = [[], [new Uint8Array(31)], [WITNESS_RESERVED, WITNESS_RESERVED]];
    for (const witness of wrong) {
      assert.equal(checkWitnessCommitment([coinbase(outputs, witness), spend]), 'bad-witness-nonce-size');
    }
    const other = coinbase(outputs, [new Uint8Array(32).fill(1)]);
    assert.equal(checkWitnessCommitment([other, spend]), 'bad-witness-merkle-match');
  });

  test('may be left out only where no witness is', () => {
    assert.equal(checkWitnessCommitment([bare]), undefined);
    assert.equal(checkWitnessCommitment([bare, spend]), 'unexpected-witness');
    assert.equal(checkWitnessCommitment([coinbase([reward])]), 'unexpected-witness');
  });

  test('is the last one where several stand', () => {
    const [, right] = committed([spend]).outputs;
    const stale = witnessCommitmentOutput([bare]);
    assert.equal(checkWitnessCommitment([coinbase([stale, right!, reward]), spend]), undefined);
    assert.equal(checkWitnessCommitment([coinbase([right!, stale]), spend]), 'bad-witness-merkle-match');
  });
});
