/** One call of the door: how it is used, and what it does. */
import type { Secp } from '../../../crypto/secp.ts';
import type { RegtestChain } from '../chain.ts';
import type { RegtestNode } from '../node.ts';
import { Arguments, type Parameter } from './arguments.ts';
import type { Json, JsonObject } from './json.ts';

/** What calls work on. */
export interface RpcContext {
  readonly chain: RegtestChain;
  readonly node: RegtestNode;
  readonly secp: Secp;
  /** Of this program. */
  readonly version: string;
  /** Seconds since the start. */
  readonly uptime: () => number;
}

export interface Method {
  readonly name: string;
  readonly usage: string;
  readonly help: string;
  call(params: readonly Json[] | JsonObject): unknown;
}

const parameterOf = (word: string): Parameter => ({
  names: word.replace(/[[\]]/g, '').split('|'),
  isRequired: !word.startsWith('['),
});

/**
 * `usage` is the name and then the parameters, optional ones in brackets, old names after a bar. What `run` returns is
 * printed as JSON; it throws `RpcError` or `ProtocolError` to refuse.
 */
export function method(usage: string, help: string, run: (args: Arguments) => unknown): Method {
  const [name = '', ...words] = usage.split(' ');
  const parameters = words.map(parameterOf);
  return { name, usage, help, call: (params) => run(new Arguments(parameters, params, `${usage}\n\n${help}`)) };
}
