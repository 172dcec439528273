/** bitcoind's JSON-RPC over HTTP: single calls and batches, by user and password or by the node's cookie file. */
import { readFileSync } from 'node:fs';
import { toBase64, utf8 } from '../../base/bytes.ts';
import { messageOf } from '../../base/errors.ts';
import { NodeError } from '../node-error.ts';
import { RPC_ERROR } from '../rpc-error.ts';
import { RpcError } from './rpc-error.ts';

export interface RpcCredentials {
  readonly user: string;
  readonly password: string;
}

export interface RpcOptions {
  /** `http://host:port`, without credentials. */
  readonly url: string;
  /** What to log in with; read again whenever the node refuses it, since its cookie changes with each start. */
  readonly credentials: () => RpcCredentials;
  /** Milliseconds that an answer may take. */
  readonly timeout?: number;
}

export interface RpcCall {
  readonly method: string;
  readonly params?: readonly unknown[];
}

/** Throws {@link NodeError} when the node cannot be asked. */
export interface RpcClient {
  readonly url: string;
  /** Throws {@link RpcError} when the node refuses. */
  call<T>(method: string, ...params: readonly unknown[]): Promise<T>;
  /** Answers in the order of the calls, refusals among them. The node works on them one after the other. */
  batch<T>(calls: readonly RpcCall[]): Promise<(T | RpcError)[]>;
  /** Gives up what has not been answered yet. */
  close(): void;
}

const TIMEOUT_MS = 30_000;
/** Fewer than a node's threads, so that its queue never overflows. */
const MAX_REQUESTS_AT_ONCE = 3;
/** Calls per request. */
const MAX_BATCH = 200;

interface RpcAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string } | null;
}

/** The one line `user:password` that bitcoind leaves in its data folder. Throws {@link NodeError} without it. */
export function readCookie(path: string): RpcCredentials {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new NodeError('NODE_UNREACHABLE', `there is no cookie file, so no node runs there: ${messageOf(error)}`);
  }
  const at = text.indexOf(':');
  if (at < 0) throw new NodeError('NODE_UNAUTHORIZED', `${path} is not a cookie file of bitcoind`);
  return { user: text.slice(0, at), password: text.slice(at + 1) };
}

/** The first refusal among the answers is thrown. */
export function demand<T>(answers: readonly (T | RpcError)[]): T[] {
  for (const answer of answers) if (answer instanceof RpcError) throw answer;
  return answers as T[];
}

/** Runs at most `limit` works at a time, in the order they came. */
function createLimit(limit: number): <R>(work: () => Promise<R>) => Promise<R> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

export function createRpcClient({ url, credentials, timeout = TIMEOUT_MS }: RpcOptions): RpcClient {
  const inTurn = createLimit(MAX_REQUESTS_AT_ONCE);
  const closing = new AbortController();

  async function post(body: string): Promise<Response> {
    const { user, password } = credentials();
    const headers = {
      authorization: `Basic ${toBase64(utf8(`${user}:${password}`))}`,
      'content-type': 'application/json',
    };
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(timeout)]);
    try {
      return await fetch(url, { method: 'POST', headers, body, signal });
    } catch (error) {
      throw new NodeError('NODE_UNREACHABLE', `no node answers at ${url}: ${reasonOf(error)}`);
    }
  }

  async function exchange(calls: readonly RpcCall[]): Promise<readonly RpcAnswer[]> {
    const body = JSON.stringify(calls.map(({ method, params = [] }, id) => ({ jsonrpc: '1.0', id, method, params })));
    const response = await post(body);
    if (response.status === 401 || response.status === 403) {
      throw new NodeError('NODE_UNAUTHORIZED', `the node at ${url} refuses these credentials (${response.status})`);
    }
    if (response.status === 503) throw new NodeError('NODE_UNREACHABLE', `the node at ${url} has too much to do`);
    const text = await response.text().catch((error) => {
      throw new NodeError('NODE_UNREACHABLE', `the node at ${url} broke off: ${reasonOf(error)}`);
    });
    return parseAnswers(text, calls.length, `${url} (HTTP ${response.status})`);
  }

  async function batch<T>(calls: readonly RpcCall[]): Promise<(T | RpcError)[]> {
    const answers: (T | RpcError)[] = [];
    for (let at = 0; at < calls.length; at += MAX_BATCH) {
      const part = await inTurn(() => exchange(calls.slice(at, at + MAX_BATCH)));
      for (const { error, result } of part) answers.push(error ? refusal(error) : (result as T));
    }
    return answers;
  }

  return {
    url,
    batch,
    close: () => closing.abort(),
    async call<T>(method: string, ...params: readonly unknown[]) {
      const [answer] = demand(await batch<T>([{ method, params }]));
      return answer as T;
    },
  };
}

/** `fetch` hides why it failed in the cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined;
  return cause?.code ?? messageOf(error);
}

function refusal({ code, message }: { readonly code: number; readonly message: string }): RpcError {
  if (code === RPC_ERROR.inWarmup) throw new NodeError('NODE_STARTING', `the node is starting: ${message}`);
  return new RpcError(code, message);
}

function parseAnswers(text: string, count: number, from: string): readonly RpcAnswer[] {
  let answers: unknown;
  try {
    answers = JSON.parse(text);
  } catch {
    throw new NodeError('NODE_MISBEHAVES', `${from} does not answer in JSON: ${text.slice(0, 80)}`);
  }
  // A node that is starting or ending may answer a batch with one refusal.
  if (!Array.isArray(answers)) {
    const { error } = (answers ?? {}) as Partial<RpcAnswer>;
    if (error) throw refusal(error);
  }
  if (!Array.isArray(answers) || answers.length !== count) {
    throw new NodeError('NODE_MISBEHAVES', `${from} does not answer as bitcoind does`);
  }
  return [...(answers as RpcAnswer[])].sort((a, b) => a.id - b.id);
}
