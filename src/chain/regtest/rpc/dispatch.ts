/** From a request's body to its answer: finds the methods, calls them, and says by HTTP how it went. */
import { messageOf, ProtocolError } from '../../../base/errors.ts';
import type { BroadcastErrorCode } from '../../chain.ts';
import { BROADCAST_ERROR, RPC_ERROR, type RpcErrorKind } from '../../rpc-error.ts';
import type { RegtestErrorCode } from '../chain.ts';
import { RpcError } from './error.ts';
import type { Method } from './method.ts';
import { type Body, type Parsed, parseBody, replyTo } from './request.ts';

export interface Answer {
  readonly status: 200 | 204 | 400 | 404 | 500;
  /** To be printed as JSON; absent where nothing was asked for. */
  readonly body?: object;
}

export type Dispatch = (text: string) => Promise<Answer>;

const KINDS: Readonly<Record<BroadcastErrorCode | RegtestErrorCode, RpcErrorKind>> = {
  ...BROADCAST_ERROR,
  BLOCK_DECODE_FAILED: 'decode',
  BLOCK_REJECTED: 'verify',
  BAD_BLOCK_COUNT: 'invalidParameter',
  BAD_TIME: 'invalidParameter',
  FAUCET_EMPTY: 'insufficientFunds',
};

const isRefusal = (error: unknown): error is ProtocolError<keyof typeof KINDS> =>
  error instanceof ProtocolError && Object.hasOwn(KINDS, error.code);

/** What bitcoind answers a call by in HTTP, where the call's version leaves that to HTTP. */
function statusOf(error: RpcError): 400 | 404 | 500 {
  if (error.code === RPC_ERROR.invalidRequest) return 400;
  return error.code === RPC_ERROR.methodNotFound ? 404 : 500;
}

/** `onFault` hears what no call should have caused. */
export function createDispatch(methods: readonly Method[], onFault: (error: unknown) => void): Dispatch {
  const byName = new Map(methods.map((method) => [method.name, method]));

  function refusalOf(error: unknown): RpcError {
    if (error instanceof RpcError) return error;
    if (isRefusal(error)) return new RpcError(KINDS[error.code], messageOf(error));
    onFault(error);
    return new RpcError('internal', 'internal error');
  }

  async function outcomeOf(request: Parsed): Promise<unknown> {
    try {
      if ('refusal' in request) return request.refusal;
      const method = byName.get(request.method);
      if (!method) return new RpcError('methodNotFound', 'Method not found');
      return await method.call(request.params);
    } catch (error) {
      return refusalOf(error);
    }
  }

  const isSilent = (request: Parsed): boolean =>
    request.version === 2 && request.id === undefined && !('refusal' in request);

  async function answerBatch(requests: readonly Parsed[]): Promise<Answer> {
    const replies: object[] = [];
    for (const request of requests) {
      const outcome = await outcomeOf(request);
      if (!isSilent(request)) replies.push(replyTo(request, outcome));
    }
    return requests.length > 0 && replies.length === 0 ? { status: 204 } : { status: 200, body: replies };
  }

  async function answerOne(request: Parsed): Promise<Answer> {
    const outcome = await outcomeOf(request);
    if (isSilent(request)) return { status: 204 };
    // Version 2 leaves refusals to the body, except of what is no request at all.
    const isHttpError = outcome instanceof RpcError && (request.version === 1 || 'refusal' in request);
    return { status: isHttpError ? statusOf(outcome) : 200, body: replyTo(request, outcome) };
  }

  return async (text) => {
    let body: Body;
    try {
      body = parseBody(text);
    } catch (error) {
      const refusal = refusalOf(error);
      return { status: statusOf(refusal), body: replyTo({ id: null, version: 1 }, refusal) };
    }
    return body.isBatch ? answerBatch(body.requests) : answerOne(body.requests[0]!);
  };
}
