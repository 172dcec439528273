/**
 * How a client reaches a server: calls by route, and streams of server-sent events. Whatever answers like `fetch`
 * carries it: the platform's own, or an application in the same process.
 */
import { ProtocolError } from '../../base/errors.ts';
import { asFields, type Fields } from '../wire/request.ts';
import type { Route } from '../wire/routes.ts';
import type { ClientErrorCode } from './errors.ts';

export interface Call {
  readonly route: Route;
  /** Values of the route's `:name` parts. */
  readonly params?: Readonly<Record<string, string | number>>;
  /** A list repeats its name. */
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Transport {
  /** The answer's JSON object. Throws `ProtocolError` with the server's own code where it gives one. */
  call(call: Call): Promise<Fields>;
  /** Resolves once the server has accepted the stream. */
  open(call: Call): Promise<MessageStream>;
}

/** Messages in order, each once, until either side ends the stream. */
export interface MessageStream extends AsyncIterable<Fields> {
  close(): void;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

const encode = encodeURIComponent;

function urlOf(base: string, { route, params = {}, query = {} }: Call): string {
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => encode(`${params[name]}`));
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? (value as readonly string[]) : [`${value}`]).map(
      (item) => `${encode(name)}=${encode(item)}`,
    ),
  );
  return `${base}${path}${pairs.length > 0 ? `?${pairs.join('&')}` : ''}`;
}

/** What the server says of a refusal; a body that says nothing leaves the status. */
function errorOf(status: number, body: string): ProtocolError {
  try {
    const fields = asFields(JSON.parse(body));
    const [detail] = Array.isArray(fields.details) ? fields.details : [];
    const { name, message, metadata } = asFields(detail ?? {});
    if (typeof name === 'string') return new ProtocolError(name, `${message}`, asFields(metadata ?? {}) as never);
    return new ProtocolError(`HTTP_${status}`, `${fields.message}`);
  } catch {
    return new ProtocolError(`HTTP_${status}`, body.slice(0, 200));
  }
}

const malformed = (why: string): ProtocolError<ClientErrorCode> => new ProtocolError('MALFORMED_ANSWER', why);

function parseFields(text: string): Fields {
  try {
    return asFields(JSON.parse(text));
  } catch {
    throw malformed(`not a JSON object: ${text.slice(0, 100)}`);
  }
}

/** Default events of a stream; heartbeats and the like are messages too. Ends at the server's `EOS` or `failure`. */
async function* messagesOf(reader: ReadableStreamDefaultReader<string>, isOpen: () => boolean): AsyncGenerator<Fields> {
  let pending = '';
  while (isOpen()) {
    const { value, done } = await reader.read();
    if (done) return;
    const frames = (pending + value).split('\n\n');
    pending = frames.pop()!;
    for (const frame of frames) {
      const lines = frame.split('\n');
      if (lines.some((line) => line.startsWith('event:'))) return;
      const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trimStart());
      if (isOpen() && data.length > 0) yield parseFields(data.join('\n'));
    }
  }
}

/** `base` is the server's URL without a path, or empty for an application in the same process. */
export function createTransport(fetch: Fetch, base = ''): Transport {
  async function request(call: Call): Promise<Response> {
    const { route, body, headers = {} } = call;
    const response = await fetch(urlOf(base, call), {
      method: route.method,
      headers: { ...headers, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    if (!response.ok) throw errorOf(response.status, await response.text());
    return response;
  }

  return {
    call: async (call) => parseFields(await (await request(call)).text()),
    async open(call) {
      const { body } = await request(call);
      if (!body) throw malformed('a stream without a body');
      let isOpen = true;
      // Read from now on and not from the first message on: a platform may collect a response that nobody reads.
      const reader = body.pipeThrough(new TextDecoderStream() as never).getReader();
      const messages = messagesOf(reader as ReadableStreamDefaultReader<string>, () => isOpen);
      return {
        [Symbol.asyncIterator]: () => messages,
        close() {
          isOpen = false;
          void reader.cancel().catch(() => {});
        },
      };
    },
  };
}
