/**
 * Idle listeners on a running server, all from one process: how many it holds, what each costs it, how long an event
 * takes to all of them, and what their heartbeats cost.
 *
 *   npm run bench:streams -- [--streams 10000] [--json]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { createPayer, onStack, residentOf } from './payer.ts';

const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '10000' },
    json: { type: 'boolean', default: false },
    /** Internal: the process that listens, on this port. */
    listen: { type: 'string' },
  },
});
const count = Number(values.streams);
const AT_ONCE = 200;
const WATCH_MS = 20_000;
const MS_PER_TICK = 10;

const cpuOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
};

/** Opens a stream and resolves at its first message. */
async function listen(port: number, onData: (text: string) => void): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  socket.write('GET /v1/txs HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n');
  const [head] = (await once(socket, 'data')) as [string];
  if (!head.startsWith('HTTP/1.1 200')) throw new Error(head.slice(0, 80));
  socket.on('data', onData);
  return socket;
}

/** In a process of its own, so that the server's cost is the server's alone. */
async function listener(port: number): Promise<void> {
  let [heard, beats] = [0, 0];
  const onData = (text: string): void => {
    if (text.includes('"arkTx"')) heard++;
    if (text.includes('"heartbeat"')) beats++;
    if (heard === count) process.send!({ heard });
  };
  for (let opened = 0; opened < count; opened += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - opened) }, () => listen(port, onData)));
  }
  process.send!('open');
  process.on('message', () => process.send!({ beats }));
  process.once('disconnect', () => process.exit(0));
}

async function main(): Promise<void> {
  const figures = await onStack([], async ({ ready }) => {
    const payer = await createPayer(ready, 10_000);
    await payer.pay();
    const before = residentOf(ready.pid);
    const { port } = new URL(ready.ark.url);
    const args = [import.meta.filename, '--listen', port, '--streams', `${count}`];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const opening = performance.now();
    await once(child, 'message');
    const openSeconds = (performance.now() - opening) / 1000;
    const after = residentOf(ready.pid);

    const cpu = cpuOf(ready.pid);
    await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
    const idleCpuShare = (cpuOf(ready.pid) - cpu) / WATCH_MS;
    child.send('beats?');
    const [{ beats }] = (await once(child, 'message')) as [{ beats: number }];

    const told = once(child, 'message');
    await payer.pay();
    const paid = performance.now();
    await told;
    const tellMs = performance.now() - paid;
    const health = await fetch(`${ready.ark.url}/v1/info`);
    child.disconnect();
    const kibibytesEach = ((after - before) * 1024) / count;
    return { streams: count, openSeconds, kibibytesEach, idleCpuShare, beats, tellMs, serves: health.ok };
  });
  if (values.json) return console.log(JSON.stringify(figures));
  console.table({
    'streams held': figures.streams,
    'opened in (s)': figures.openSeconds.toFixed(1),
    'resident each (KiB)': figures.kibibytesEach.toFixed(1),
    'server CPU while idle, heartbeats included (%)': (figures.idleCpuShare * 100).toFixed(1),
    'heartbeats heard in 20 s': figures.beats,
    'from the last word of a payment until all have heard of it (ms)': figures.tellMs.toFixed(0),
  });
}

await (values.listen === undefined ? main() : listener(Number(values.listen)));
