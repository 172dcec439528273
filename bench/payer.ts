/** A wallet of our own on a stack in a process of its own, that pays itself over and over through real sockets. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Coin, coinOf, coinOfNote, createAccount } from '../src/ark/client/account.ts';
import { settle } from '../src/ark/client/batch.ts';
import { connect, createAggregators } from '../src/ark/client/client.ts';
import { send } from '../src/ark/client/offchain.ts';
import { createTransport } from '../src/ark/client/transport.ts';
import { parseNote } from '../src/ark/protocol/note.ts';
import type { Ready } from '../src/cli/ready.ts';
import { systemEntropy } from '../src/runtime/entropy.ts';
import { loadSecp } from '../src/runtime/secp-wasm.ts';
import { type RunningStack, startStack } from '../test/support/stack.ts';

/** Runs `work` on a stack with its database in a file, and removes both. */
export async function onStack<R>(flags: readonly string[], work: (stack: RunningStack) => Promise<R>): Promise<R> {
  const data = mkdtempSync(join(tmpdir(), 'canalworks-bench-'));
  const stack = await startStack(['--data', data, '--block-time', '0', ...flags]);
  try {
    return await work(stack);
  } finally {
    await stack.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

export interface Payer {
  /** The VTXO it has now. */
  readonly coin: Coin;
  /** Pays all it has to itself, off-chain, and makes it final. */
  pay(): Promise<void>;
}

/** A payer with one settled VTXO of `sats`. */
export async function createPayer({ ark }: Ready, sats: number): Promise<Payer> {
  const secp = await loadSecp();
  const random = systemEntropy.bytes;
  const transport = createTransport(fetch, ark.url);
  const client = await connect({ transport, secp, random, aggregators: createAggregators(secp) });
  const account = createAccount(secp, client.terms, random(32));
  const response = await fetch(`${ark.adminUrl}/v1/admin/note`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ark.adminToken}` },
    body: JSON.stringify({ amount: sats, quantity: 1 }),
  });
  const { notes } = (await response.json()) as { notes: [string] };
  const receiver = { value: BigInt(sats), script: account.vtxo.script };
  const order = { coins: [coinOfNote(secp, parseNote(notes[0]))], receivers: [receiver], onchain: [] };
  const [vtxo] = (await settle(client, account, order)).vtxos;
  let coin = coinOf(account, 'vtxo', vtxo!.outpoint, receiver.value);
  return {
    get coin() {
      return coin;
    },
    async pay() {
      const { arkTxid } = await send(client, account, [coin], [receiver]);
      coin = coinOf(account, 'vtxo', { txid: arkTxid, vout: 0 }, receiver.value);
    },
  };
}

/** Memory that a process has resident, in MiB (Linux). */
export const residentOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
