/**
 * bitcoind's notifications as a hint to look at the node at once. Only the subscriber's side of ZMTP 3.0 without
 * security (rfc.zeromq.org/spec/23) is spoken, and what a message says is not believed, only that there is news.
 */
import { connect, type Socket } from 'node:net';
import { type Bytes, concat, utf8 } from '../../base/bytes.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { RpcClient } from './client.ts';

export interface NewsSource {
  readonly host: string;
  readonly port: number;
  /** For instance `hashblock`. */
  readonly topics: readonly string[];
}

const GREETING_LENGTH = 64;
const MECHANISM_AT = 12;
const COMMAND = 0x04;
const LONG = 0x02;
const MORE = 0x01;
/** More than any block: what announces more is no bitcoind. */
const MAX_FRAME_BYTES = 8_000_000;
const RETRY_MS = 5_000;

/** Small messages first; raw ones only where a node offers nothing else. */
const HINTS = ['hashblock', 'hashtx', 'sequence'];

/** Where the node publishes what; none where it does not, or where it is not allowed to be asked. */
export async function newsSources(client: Pick<RpcClient, 'call' | 'url'>): Promise<readonly NewsSource[]> {
  const offers = await client.call<{ type: string; address: string }[]>('getzmqnotifications').catch(() => []);
  const byAddress = new Map<string, string[]>();
  for (const { type, address } of offers) {
    byAddress.set(address, [...(byAddress.get(address) ?? []), type.replace(/^pub/, '')]);
  }
  return [...byAddress].flatMap(([address, offered]) => {
    const match = /^tcp:\/\/(.+):([0-9]{1,5})$/.exec(address);
    if (!match) return [];
    const isAnywhere = ['*', '0.0.0.0', '[::]'].includes(match[1]!);
    const host = (isAnywhere ? new URL(client.url).hostname : match[1]!).replace(/^\[|\]$/g, '');
    const hints = offered.filter((topic) => HINTS.includes(topic));
    return [{ host, port: Number(match[2]), topics: hints.length > 0 ? hints : offered }];
  });
}

function greeting(): Bytes {
  const bytes = new Uint8Array(GREETING_LENGTH);
  bytes.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0]);
  bytes.set(utf8('NULL'), MECHANISM_AT);
  return bytes;
}

const shortFrame = (flags: number, body: Bytes): Bytes => concat(Uint8Array.of(flags, body.length), body);

function ready(): Bytes {
  const [command, property, value] = [utf8('READY'), utf8('Socket-Type'), utf8('SUB')];
  const lengths = { command: Uint8Array.of(command.length), property: Uint8Array.of(property.length) };
  const body = concat(
    lengths.command,
    command,
    lengths.property,
    property,
    Uint8Array.of(0, 0, 0, value.length),
    value,
  );
  return shortFrame(COMMAND, body);
}

const subscription = (topic: string): Bytes => shortFrame(0, concat(Uint8Array.of(1), utf8(topic)));

interface Heard {
  greeting(): void;
  command(): void;
  /** At the end of each message. */
  message(): void;
}

/** Splits what arrives into a greeting and frames. */
function createFrameReader(heard: Heard): (chunk: Bytes) => void {
  let buffer: Bytes = new Uint8Array(0);
  let greeted = false;

  /** Bytes of the frame at the start of the buffer, header included; `undefined` while its header is not whole. */
  function frameLength(): number | undefined {
    const isLong = (buffer[0]! & LONG) !== 0;
    const header = isLong ? 9 : 2;
    if (buffer.length < header) return undefined;
    const view = new DataView(buffer.buffer, buffer.byteOffset);
    const length = isLong ? Number(view.getBigUint64(1)) : buffer[1]!;
    if (length > MAX_FRAME_BYTES) throw new RangeError('a frame is too large');
    return header + length;
  }

  return (chunk) => {
    buffer = concat(buffer, chunk);
    if (!greeted) {
      if (buffer.length < GREETING_LENGTH) return;
      if (buffer[0] !== 0xff || buffer[9] !== 0x7f || buffer[10]! < 3) throw new RangeError('not ZMTP 3');
      buffer = buffer.subarray(GREETING_LENGTH);
      greeted = true;
      heard.greeting();
    }
    for (let length = buffer.length > 0 ? frameLength() : undefined; length !== undefined; ) {
      if (buffer.length < length) return;
      const flags = buffer[0]!;
      buffer = buffer.subarray(length);
      if ((flags & COMMAND) !== 0) heard.command();
      else if ((flags & MORE) === 0) heard.message();
      length = buffer.length > 0 ? frameLength() : undefined;
    }
  };
}

/** Calls `onNews` for every message of `source`, and connects again where the connection breaks. Returns what ends it. */
export function followNews(source: NewsSource, clock: Clock, onNews: () => void): () => void {
  let isOver = false;
  let socket: Socket | undefined;
  let cancelRetry = (): void => {};

  function open(): void {
    const own = connect({ host: source.host, port: source.port });
    socket = own;
    const read = createFrameReader({
      greeting: () => own.write(ready()),
      // The publisher is ready, the only thing it has to say of itself.
      command: () => own.write(concat(...source.topics.map(subscription))),
      message: onNews,
    });
    own.on('connect', () => own.write(greeting()));
    own.on('data', (chunk) => {
      try {
        read(chunk);
      } catch {
        own.destroy();
      }
    });
    // Whatever breaks it closes it; until it is back, polling has to do.
    own.on('error', () => {});
    own.on('close', () => {
      if (!isOver) cancelRetry = clock.setTimer(RETRY_MS, open);
    });
  }

  open();
  return () => {
    isOver = true;
    cancelRetry();
    socket?.destroy();
  };
}
