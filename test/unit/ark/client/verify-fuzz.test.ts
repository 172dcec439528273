/** Threat 34: a lineage with any byte changed is refused or means the same; nothing that a server sends throws. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { verifyVtxo } from '../../../../src/ark/client/verify.ts';
import { finalize } from '../../../../src/ark/protocol/leaf-spend.ts';
import { fromBase64, toBase64 } from '../../../../src/base/bytes.ts';
import { txHex, txidOf } from '../../../../src/bitcoin/tx.ts';
import { chainOf, serverOf } from './fake-server.ts';
import { carol, forge } from './forged-lineage.ts';

const made = forge();
const honest = new Map([...made.psbts].map(([txid, psbt]) => [txid, txHex(finalize(psbt))]));

/** One byte of one transaction set to something else. */
const change = fc.record({
  which: fc.nat({ max: made.psbts.size - 1 }),
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  by: fc.integer({ min: 1, max: 255 }),
});

const damaged = (text: string, at: number, by: number): string => {
  const bytes = fromBase64(text);
  bytes[Math.floor(at * bytes.length)]! ^= by;
  return toBase64(bytes);
};

test('a byte changed anywhere', async () => {
  await fc.assert(
    fc.asyncProperty(change, async ({ which, at, by }) => {
      const txs = (list: readonly string[]): string[] =>
        list.map((text, i) => (i === which ? damaged(text, at, by) : text));
      const report = await verifyVtxo(serverOf(made, { txs }), chainOf(made), made.outpoint, { vtxo: carol.vtxo });
      if (report.standing === 'refused') return;
      // The change was in a field that nothing depends on: what would be broadcast is what was signed.
      const needed = report.txs.map((tx) => honest.get(txidOf(tx)));
      assert.deepEqual(report.txs.map(txHex), needed);
    }),
    { numRuns: 400 },
  );
});

const anything = fc.jsonValue({ maxDepth: 3 });

test('answers made of anything', async () => {
  await fc.assert(
    fc.asyncProperty(anything, anything, anything, async (chain, txs, vtxo) => {
      const lie = { chain: () => ({ chain }) as never, txs: () => txs as never, vtxo: { extra: vtxo } as never };
      const work = verifyVtxo(serverOf(made, lie), chainOf(made), made.outpoint, { vtxo: carol.vtxo });
      const code = await work.then(
        ({ standing }) => standing,
        (error: { code?: string }) => error.code,
      );
      assert.ok(code === 'refused' || code === 'MALFORMED_ANSWER', `${code}`);
    }),
    { numRuns: 300 },
  );
});
