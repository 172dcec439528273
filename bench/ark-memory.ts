/**
 * What a server holds in memory while it serves payments: resident, and the smallest heap seen in each stretch (between
 * two collections the heap only grows, so its lows tell). Ends with code 1 where the lows keep growing.
 *
 *   npm run bench:ark-memory -- [--payments 10000] [--payers 8] [--json]
 */
import { parseArgs } from 'node:util';
import type { Ready } from '../src/cli/ready.ts';
import { createPayer, onStack } from './payer.ts';

const { values } = parseArgs({
  options: {
    payments: { type: 'string', default: '10000' },
    payers: { type: 'string', default: '8' },
    json: { type: 'boolean', default: false },
  },
});
const [payments, payers] = [Number(values.payments), Number(values.payers)];
const STRETCHES = 10;
const SAMPLE_MS = 100;
/** How much the lows of the last three stretches may exceed those after the first three, in MiB. */
const TOLERANCE_MIB = 5;

async function memoryOf({ ark }: Ready): Promise<{ heap: number; resident: number }> {
  const text = await (await fetch(`${ark.adminUrl}/metrics`)).text();
  const mebibytes = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)![1]) / 2 ** 20;
  return { heap: mebibytes('nodejs_heap_size_used_bytes'), resident: mebibytes('process_resident_memory_bytes') };
}

interface Stretch {
  readonly payments: number;
  readonly lowestHeapMiB: number;
  readonly residentMiB: number;
}

const stretches = await onStack([], async ({ ready }) => {
  const everybody = await Promise.all(Array.from({ length: payers }, () => createPayer(ready, 10_000)));
  const found: Stretch[] = [];
  for (let stretch = 1; stretch <= STRETCHES; stretch++) {
    let [lowest, isPaying] = [Number.POSITIVE_INFINITY, true];
    const watch = (async () => {
      while (isPaying) {
        lowest = Math.min(lowest, (await memoryOf(ready)).heap);
        await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
      }
    })();
    const each = Math.round(payments / STRETCHES / payers);
    await Promise.all(
      everybody.map(async (payer) => {
        for (let count = 0; count < each; count++) await payer.pay();
      }),
    );
    isPaying = false;
    await watch;
    const { resident } = await memoryOf(ready);
    found.push({ payments: stretch * each * payers, lowestHeapMiB: lowest, residentMiB: resident });
    if (!values.json) console.error(`${stretch * each * payers} payments`);
  }
  return found;
});

const lowOf = (some: readonly Stretch[]): number => Math.min(...some.map(({ lowestHeapMiB }) => lowestHeapMiB));
const growthMiB = lowOf(stretches.slice(-3)) - lowOf(stretches.slice(3, 6));
if (values.json) console.log(JSON.stringify({ payments, growthMiB, stretches }));
else {
  console.table(
    stretches.map((each) => ({
      payments: each.payments,
      'lowest heap (MiB)': each.lowestHeapMiB.toFixed(1),
      'resident (MiB)': each.residentMiB.toFixed(0),
    })),
  );
  console.log(`the lows grew by ${growthMiB.toFixed(1)} MiB from the fourth stretch on`);
}
process.exitCode = growthMiB > TOLERANCE_MIB ? 1 : 0;
