/**
 * Throws random and mangled inputs at every parser of what strangers send. Ends with code 1 at the first input that is
 * neither understood nor refused clearly; `--seed` repeats a run.
 * npm run fuzz -- [--inputs 100000] [--seed N] [--only transaction]
 */
import { parseArgs } from 'node:util';
import { fuzz, TARGETS } from '../test/support/fuzz.ts';
import { dice } from '../test/support/mutations.ts';

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    only: { type: 'string' },
  },
});
const seed = Number(values.seed);
console.log(`seed ${seed}`);
for (const name of Object.keys(TARGETS).filter((name) => values.only === undefined || name === values.only)) {
  const began = performance.now();
  const { accepted, refused, slowestMs } = await fuzz(name, Number(values.inputs), dice(seed));
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const counts = `${accepted} understood, ${refused} refused`;
  console.log(`${name.padEnd(12)} ${counts}, slowest ${slowestMs.toFixed(1)} ms, ${seconds} s in all`);
}
