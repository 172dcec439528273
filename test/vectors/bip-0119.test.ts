import assert from 'node:assert/strict';
import { toHex } from '../../src/base/bytes.ts';
import { templateHash } from '../../src/bitcoin/template-hash.ts';
import { parseTx } from '../../src/bitcoin/tx.ts';
import { parseVectors, vectorTest } from '../support/vectors.ts';

const FILE = 'bip-0119/ctvhash.json';

interface Case {
  readonly hex_tx: string;
  readonly spend_index: readonly number[];
  readonly result: readonly string[];
}

vectorTest('BIP119: template hashes', FILE, () => {
  const cases = parseVectors<(Case | string)[]>(FILE).filter((item): item is Case => typeof item !== 'string');
  assert.equal(cases.length, 100);
  for (const { hex_tx, spend_index, result } of cases) {
    const tx = parseTx(hex_tx);
    assert.deepEqual(
      spend_index.map((index) => toHex(templateHash(tx, index))),
      result,
    );
  }
});
