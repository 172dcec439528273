import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArkNote } from '@arkade-os/sdk';
import { base58 } from '@scure/base';
import fc from 'fast-check';
import { noteHash, noteLeaf, noteVtxo, parseNote, printNote } from '../../../../src/ark/protocol/note.ts';
import { outpointKey, toHex } from '../../../../src/base/bytes.ts';
import { sats } from '../../../../src/base/units.ts';
import { isCommitted } from '../../../../src/bitcoin/taproot.ts';
import { sha256 } from '../../../../src/crypto/hash.ts';
import { codeOf, refusesOrAccepts, secp } from './support.ts';

const note = { preimage: new Uint8Array(32).fill(9), value: sats(12345) };
const TEXT = 'arknote4yo5ZzPDUKCsoucyTX2GfktgoyjxM9cjFUWqkiQsUJrTHme1e';

test('a note reads and prints as in the SDK', () => {
  assert.equal(printNote(note), TEXT);
  assert.deepEqual(parseNote(` ${TEXT}\n`), note);
  assert.equal(new ArkNote(note.preimage, 12345).toString(), TEXT);
  const most = { preimage: new Uint8Array(32).fill(255), value: sats(0xffffffff) };
  assert.deepEqual(parseNote(printNote(most)), most);
});

test('a note stands for the VTXO that the SDK redeems', () => {
  const vtxo = noteVtxo(secp, note);
  const sdk = new ArkNote(note.preimage, 12345);
  assert.equal(toHex(vtxo.script), '5120e64d168a31f04ff5f9d0680799764f759e658cc152c775ef50be56e71af0375c');
  assert.deepEqual(vtxo.script, Uint8Array.from(sdk.vtxoScript.pkScript));
  assert.equal(outpointKey(vtxo.outpoint), `${sdk.txid}:${sdk.vout}`);
  assert.equal(vtxo.outpoint.txid, '052b1cd49e5febcea28b4226c1608810d30626300bfee0f8c42c94047ac10c8c');
  assert.ok(isCommitted(secp, vtxo.controlBlock, vtxo.leaf, vtxo.outputKey));
  assert.equal(toHex(vtxo.leaf), `a820${toHex(sha256(note.preimage))}87`);
  assert.deepEqual(noteHash(vtxo.leaf), sha256(note.preimage));
  assert.equal(noteHash(noteLeaf(new Uint8Array(31))), undefined);
});

test('what is no note is refused, and nothing else is thrown', () => {
  const texts = [
    '',
    'arknote',
    TEXT.slice(0, -1),
    TEXT.slice(1),
    `${TEXT}0`,
    `arknote${base58.encode(new Uint8Array(37))}`,
  ];
  for (const text of texts)
    assert.equal(
      codeOf(() => parseNote(text)),
      'INVALID_VTXO_SCRIPT',
      text,
    );
  fc.assert(fc.property(fc.string(), (text) => refusesOrAccepts(() => parseNote(`arknote${text}`))));
});
