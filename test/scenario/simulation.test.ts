/** Random operations, crashes and reorganizations; `npm run fuzz:ark` runs many more of them. */
import { test } from 'node:test';
import fc from 'fast-check';
import { type Step, simulation, steps } from '../support/simulation.ts';

const runs = Number(process.env.CANALWORKS_SIMULATIONS ?? 2);
const seed = Number(process.env.CANALWORKS_SIMULATION_SEED ?? 20_261_125);
const length = Number(process.env.CANALWORKS_SIMULATION_STEPS ?? 20);

test('whatever users, chain and crashes do, the books balance and everybody can leave', async () => {
  let run = 0;
  const property = fc.asyncProperty(
    fc.array(steps, { minLength: 1, maxLength: length, size: 'max' }),
    async (list: readonly Step[]) => {
      const simulated = await simulation(`simulation/${seed}/${run++}`);
      for (const step of list) await simulated.step(step);
      await simulated.end();
    },
  );
  await fc.assert(property, { numRuns: runs, seed, endOnFailure: runs <= 2 });
});
