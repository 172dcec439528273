/** JSON-RPC in the forms that bitcoind takes: 1.0 and 1.1 without much ceremony, 2.0, and batches of either. */
import { demand, RpcError } from './error.ts';
import { isJsonArray, isJsonObject, type Json, type JsonObject, parseJson } from './json.ts';

export interface RpcRequest {
  /** `undefined` where there is none: a notification in version 2, in version 1 a call whose answer has none either. */
  readonly id: Json | undefined;
  readonly version: 1 | 2;
  readonly method: string;
  /** By position or by name. */
  readonly params: readonly Json[] | JsonObject;
}

/** A request that cannot be carried out, with what its answer needs. */
export interface BadRequest extends Pick<RpcRequest, 'id' | 'version'> {
  readonly refusal: RpcError;
}

export type Parsed = RpcRequest | BadRequest;

export interface Body {
  readonly isBatch: boolean;
  readonly requests: readonly Parsed[];
}

function parseRequest(value: Json): Parsed {
  if (!isJsonObject(value)) {
    return { id: null, version: 1, refusal: new RpcError('invalidRequest', 'Invalid Request object') };
  }
  const field = (name: string): Json | undefined => (Object.hasOwn(value, name) ? value[name] : undefined);
  const id = field('id');
  const version = field('jsonrpc') === '2.0' ? 2 : 1;
  try {
    const method = field('method');
    demand(method !== undefined && method !== null, 'invalidRequest', 'Missing method');
    demand(typeof method === 'string', 'invalidRequest', 'Method must be a string');
    const params = field('params') ?? [];
    demand(isJsonArray(params) || isJsonObject(params), 'invalidRequest', 'Params must be an array or object');
    return { id, version, method, params };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return { id, version, refusal: error };
  }
}

function parseText(text: string): Json {
  try {
    return parseJson(text);
  } catch {
    throw new RpcError('parse', 'Parse error');
  }
}

/** Throws {@link RpcError} when the body is no JSON, or neither an object nor an array. */
export function parseBody(text: string): Body {
  const value = parseText(text);
  if (isJsonArray(value)) return { isBatch: true, requests: value.map(parseRequest) };
  demand(isJsonObject(value), 'parse', 'Top-level object parse error');
  return { isBatch: false, requests: [parseRequest(value)] };
}

const errorJson = ({ code, message }: RpcError) => ({ code, message });

/** The answer to a request; version 2 leaves out what version 1 sets to null. */
export function replyTo({ id, version }: Pick<RpcRequest, 'id' | 'version'>, outcome: unknown): object {
  const named = id === undefined ? {} : { id };
  const isError = outcome instanceof RpcError;
  if (version === 2) {
    return { jsonrpc: '2.0', ...(isError ? { error: errorJson(outcome) } : { result: outcome ?? null }), ...named };
  }
  return isError
    ? { result: null, error: errorJson(outcome), ...named }
    : { result: outcome ?? null, error: null, ...named };
}
