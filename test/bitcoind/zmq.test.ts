import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { followNews } from '../../src/chain/bitcoind/zmq.ts';
import type { ChainEvent } from '../../src/chain/chain.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { requireBitcoind, startBitcoind } from '../support/bitcoind.ts';
import { openBitcoindChain } from '../support/chains.ts';

const { binary, skip } = requireBitcoind('news over ZMQ');

test('a node with ZMQ is looked at as soon as it has news', { skip }, async () => {
  const port = 20_000 + (process.pid % 10_000);
  const node = await startBitcoind(binary!, {
    flags: [`-zmqpubhashblock=tcp://127.0.0.1:${port}`, `-zmqpubhashtx=tcp://127.0.0.1:${port}`],
  });
  // Polling alone would take an hour to find out.
  const db = openSqlite(':memory:');
  const chain = await openBitcoindChain(node, db, { interval: 3_600_000 });
  try {
    const heard = new Promise<ChainEvent>((resolve) => {
      chain.subscribe((event) => {
        if (event.type === 'block') resolve(event);
      });
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await node.rpc('generatetoaddress', 1, 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080');
    assert.equal((await heard).type, 'block');
  } finally {
    await chain.close();
    await db.close();
    await node.stop();
  }
});

test('what is no publisher is left alone, and a frame beyond all measure ends the connection', async () => {
  const closed: Promise<void>[] = [];
  const speak = [
    (socket: Socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'.padEnd(80)),
    (socket: Socket) => {
      const greeting = Buffer.alloc(64);
      greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3]);
      socket.write(Buffer.concat([greeting, Buffer.from([2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])]));
    },
  ];
  for (const say of speak) {
    const server = createServer((socket) => {
      closed.push(new Promise((resolve) => socket.on('close', () => resolve())));
      socket.on('error', () => {});
      socket.resume();
      say(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    let news = 0;
    const stop = followNews({ host: '127.0.0.1', port, topics: ['hashblock'] }, systemClock, () => news++);
    while (closed.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await closed.pop();
    assert.equal(news, 0);
    stop();
    server.close();
  }
});
