/** bitcoind's JSON-RPC over HTTP for the embedded chain: what `bitcoin-cli` and tools made for bitcoind speak. */
import { type Context, Hono } from 'hono';
import { isSameToken } from '../../../runtime/token.ts';
import { createDispatch } from './dispatch.ts';
import type { RpcContext } from './method.ts';
import { createMethods } from './methods.ts';

/** A block of the largest size in hex, with room for what is around it; pass it to the HTTP server. */
export const MAX_RPC_BODY_BYTES = 0x02000000;

export interface RpcDoorOptions extends Omit<RpcContext, 'node'> {
  readonly user: string;
  readonly password: string;
  /** Hears what no call should have caused. */
  readonly onFault?: (error: unknown) => void;
}

/** What HTTP's basic authentication sends for a user and password. */
const basicAuth = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;

export function createRpcDoor({ user, password, onFault = () => {}, ...context }: RpcDoorOptions): Hono {
  const dispatch = createDispatch(createMethods({ ...context, node: context.chain.node }), onFault);
  const expected = basicAuth(user, password);
  const app = new Hono();

  const answer = async (c: Context): Promise<Response> => {
    if (!isSameToken(c.req.header('authorization') ?? '', expected)) {
      return c.body(null, 401, { 'www-authenticate': 'Basic realm="jsonrpc"' });
    }
    const { status, body } = await dispatch(await c.req.text());
    if (status === 204) return c.body(null, 204);
    return c.body(`${JSON.stringify(body)}\n`, status, { 'content-type': 'application/json' });
  };
  app.use(async (c, next) => {
    if (c.req.method === 'POST') return next();
    return c.text('JSONRPC server handles only POST requests', 405);
  });
  app.post('/', answer);
  // There is one wallet, whatever name it is called by.
  app.post('/wallet/:name{.*}', answer);
  app.notFound((c) => c.body(null, 404));
  app.onError((error, c) => {
    onFault(error);
    return c.body(null, 500);
  });
  return app;
}
