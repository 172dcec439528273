/**
 * Lives through random Arks (test/support/simulation.ts) until one of them loses a satoshi or locks somebody in.
 * npm run fuzz:ark -- [--runs 200] [--steps 60] [--seed N]
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200' },
    steps: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
  },
});
console.log(`seed ${values.seed}`);
const { status } = spawnSync(process.execPath, ['--test', 'test/scenario/simulation.test.ts'], {
  stdio: 'inherit',
  env: {
    ...process.env,
    CANALWORKS_SIMULATIONS: values.runs,
    CANALWORKS_SIMULATION_STEPS: values.steps,
    CANALWORKS_SIMULATION_SEED: values.seed,
  },
});
process.exit(status ?? 1);
