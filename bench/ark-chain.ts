/**
 * How long it takes to read what a VTXO descends from, many payments away from its batch. The payments are real, made
 * one after the other; the database is a SQLite file; the question is asked through a socket. Each sample asks for
 * another VTXO, one more payment away, so that none was asked for before.
 *
 *   npm run bench:ark-chain -- [--hops 3000] [--samples 7] [--json]
 */
import { parseArgs } from 'node:util';
import { createPayer, onStack, type Payer } from './payer.ts';

const { values } = parseArgs({
  options: {
    hops: { type: 'string', default: '3000' },
    samples: { type: 'string', default: '7' },
    json: { type: 'boolean', default: false },
  },
});
const [hops, samples] = [Number(values.hops), Number(values.samples)];

/** Milliseconds from the request to the last byte of the answer, which is checked to be whole. */
async function ask(url: string, { coin: { outpoint } }: Payer, depth: number): Promise<number> {
  const began = performance.now();
  const response = await fetch(`${url}/v1/indexer/vtxo/${outpoint.txid}/${outpoint.vout}/chain`);
  const text = await response.text();
  const took = performance.now() - began;
  const { chain } = JSON.parse(text) as { chain: { type: string }[] };
  const payments = chain.filter(({ type }) => type === 'INDEXER_CHAINED_TX_TYPE_ARK').length;
  if (payments !== depth || !chain.at(-1)?.type.endsWith('COMMITMENT')) throw new Error('the chain is not whole');
  return took;
}

const times = await onStack([], async ({ ready }) => {
  const payer = await createPayer(ready, 10_000);
  for (let hop = 0; hop < hops; hop++) {
    await payer.pay();
    if (!values.json && (hop + 1) % 500 === 0) console.error(`${hop + 1} payments`);
  }
  const measured = [await ask(ready.ark.url, payer, hops)];
  for (let more = 1; more < samples; more++) {
    await payer.pay();
    measured.push(await ask(ready.ark.url, payer, hops + more));
  }
  return measured.sort((a, b) => a - b);
});
const queryMs = Math.round(times[Math.floor(times.length / 2)]! * 10) / 10;
if (values.json) console.log(JSON.stringify({ hops, queryMs }));
else console.table({ hops, 'chain, median (ms)': queryMs, 'chain, slowest (ms)': times.at(-1)!.toFixed(1) });
