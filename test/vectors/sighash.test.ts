import assert from 'node:assert/strict';
import { fromHex, reversed, toHex } from '../../src/base/bytes.ts';
import { legacySighash } from '../../src/bitcoin/interpreter/legacy-sighash.ts';
import { parseTx } from '../../src/bitcoin/tx.ts';
import { rowsOf, vectorTest } from '../support/vectors.ts';

const FILE = 'bitcoin-core-sighash.json';
type Row = readonly [tx: string, scriptCode: string, index: number, type: number, hash: string];

vectorTest("Bitcoin Core's legacy signature hashes", FILE, () => {
  const rows = rowsOf<Row>(FILE);
  assert.equal(rows.length, 500);
  for (const [tx, scriptCode, index, type, expected] of rows) {
    const hash = legacySighash(parseTx(tx), index, fromHex(scriptCode), type);
    assert.equal(toHex(reversed(hash)), expected);
  }
});
