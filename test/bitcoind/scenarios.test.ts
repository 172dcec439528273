/** The scenarios once more, with a real bitcoind as judge of every block and every transaction on their chains. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireBitcoind, startBitcoind } from '../support/bitcoind.ts';
import { recordChains, replay } from '../support/chain-record.ts';

const TITLE = 'the chains of scenarios replay into bitcoind, their mempools too';
const { binary, skip } = requireBitcoind(TITLE);
/** All that a wing does on chain: boarding, batches, exits, every shape of closure, unrolling, forfeits, checkpoints, sweeps, reorganizations. */
const SCENARIOS = ['main-path', 'justice', 'fraud', 'reserve', 'sweep', 'sweep-chain', 'closures'];
const LEAST_CHAINS = 12;

const records = recordChains();
if (binary) for (const name of SCENARIOS) await import(`../scenario/${name}.test.ts`);

test(TITLE, { skip }, async (t) => {
  assert.ok(records.length >= LEAST_CHAINS, `${records.length} chains`);
  for (const record of records) {
    await t.test(record.name, async () => {
      const node = await startBitcoind(binary!);
      try {
        await replay(record, node);
      } finally {
        await node.stop();
      }
    });
  }
});
