/** How long `canalworks up` takes from process start to ready, and how much memory it holds then. */
import { readFileSync } from 'node:fs';
import { startStack } from '../test/support/stack.ts';

const RUNS = 7;
const TARGET_MS = 3_000;
const TARGET_MB = 300;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Resident megabytes of a process, where the system tells (Linux). */
function residentMegabytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}

const times: number[] = [];
const sizes: number[] = [];
for (let run = 0; run < RUNS; run++) {
  const began = performance.now();
  const stack = await startStack();
  times.push(performance.now() - began);
  sizes.push(residentMegabytes(stack.ready.pid));
  await stack.stop();
}

const report = (what: string, values: readonly number[], unit: string, target: number): void =>
  console.log(
    `${what.padEnd(24)} median ${median(values).toFixed(0)} ${unit}, worst ${Math.max(...values).toFixed(0)} ${unit} (target ${target})`,
  );
report('process start to ready', times, 'ms', TARGET_MS);
report('resident when ready', sizes, 'MB', TARGET_MB);
process.exitCode = median(times) < TARGET_MS && median(sizes) < TARGET_MB ? 0 : 1;
