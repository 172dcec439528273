/** A JSON-RPC door to talk to, ours or bitcoind's, and the comparison of what both say. */
import { createRpcDoor, MAX_RPC_BODY_BYTES } from '../../src/chain/regtest/rpc/door.ts';
import { type Json, type JsonNumber, kindOf, parseJson } from '../../src/chain/regtest/rpc/json.ts';
import { createHttpServer } from '../../src/runtime/http.ts';
import { BITCOIND_PASSWORD, BITCOIND_USER, type Bitcoind } from './bitcoind.ts';
import { secp, type TestChain } from './regtest.ts';

export interface Reply {
  readonly status: number;
  readonly text: string;
}

/** What a call came to: its result, or its error. */
export interface Outcome {
  readonly result: Json;
  readonly error: Json;
}

export interface RpcPeer {
  post(body: string, path?: string): Promise<Reply>;
  /** Parameters are printed as JSON. */
  call(method: string, ...params: unknown[]): Promise<Outcome>;
}

export interface ServedDoor extends RpcPeer {
  readonly port: number;
  /** What no call should have caused. */
  readonly faults: readonly unknown[];
  close(): Promise<void>;
}

export const RPC_USER = 'alice';
export const RPC_PASSWORD = 'secret';

function peer(url: string, user: string, password: string): RpcPeer {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const post = async (body: string, path = '/'): Promise<Reply> => {
    const response = await fetch(`${url}${path}`, { method: 'POST', body, headers: { authorization } });
    return { status: response.status, text: await response.text() };
  };
  return {
    post,
    async call(method, ...params) {
      const { text } = await post(JSON.stringify({ id: 1, method, params }));
      return parseJson(text) as unknown as Outcome;
    },
  };
}

export const judgePeer = (node: Bitcoind): RpcPeer => peer(node.url, BITCOIND_USER, BITCOIND_PASSWORD);

export async function serveDoor({ chain }: Pick<TestChain, 'chain'>): Promise<ServedDoor> {
  const faults: unknown[] = [];
  const app = createRpcDoor({
    chain,
    secp,
    version: '0.0.0',
    uptime: () => 1,
    user: RPC_USER,
    password: RPC_PASSWORD,
    onFault: (error) => faults.push(error),
  });
  const server = createHttpServer(app, { host: '127.0.0.1', port: 0, maxBodyBytes: MAX_RPC_BODY_BYTES });
  const port = await server.start();
  return { ...peer(`http://127.0.0.1:${port}`, RPC_USER, RPC_PASSWORD), port, faults, close: () => server.stop() };
}

/** The value of a call that should have one. */
export async function resultOf(called: Promise<Outcome>): Promise<Json> {
  const { result, error } = await called;
  if (error !== null) throw new Error(JSON.stringify(error));
  return result;
}

/** The number of the error that a call should have come to. */
export async function errorCodeOf(called: Promise<Outcome>): Promise<number | undefined> {
  const { error } = (await called) as { readonly error: { readonly code: JsonNumber } | null };
  return error ? Number(error.code.source) : undefined;
}

/** Reasons are bitcoind's; the details that follow a reason are everybody's own. */
const wording = (value: Json): string => JSON.stringify(typeof value === 'string' ? value.replace(/, .*/s, '') : value);

/**
 * Where `ours` is not what `theirs` is, as `path: ours | theirs`. Numbers compare by their digits. `differs` names
 * fields that may differ in value or be absent, at any depth.
 */
export function differences(ours: Json, theirs: Json, differs: ReadonlySet<string>, path = '$'): readonly string[] {
  const kind = kindOf(ours);
  if (kind === kindOf(theirs) && (kind === 'array' || kind === 'object')) {
    const left = ours as Readonly<Record<string, Json>>;
    const right = theirs as Readonly<Record<string, Json>>;
    const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
    return [...keys]
      .filter((key) => kind === 'array' || !differs.has(key))
      .flatMap((key) => {
        const step = `${path}.${key}`;
        if (!Object.hasOwn(left, key) || !Object.hasOwn(right, key)) {
          return [`${step}: only ${Object.hasOwn(left, key) ? 'ours' : 'theirs'}`];
        }
        return differences(left[key]!, right[key]!, differs, step);
      });
  }
  const [a, b] = [wording(ours), wording(theirs)];
  return a === b ? [] : [`${path}: ${a} | ${b}`];
}
