/** What later commands ask of a running process: its chain's controls, behind the admin token. */
import { Hono } from 'hono';
import { messageOf, ProtocolError } from '../base/errors.ts';
import { parseSats } from '../base/units.ts';
import { parseAddress } from '../bitcoin/address.ts';
import type { ControlledChain } from '../chain/controlled-chain.ts';
import { NodeError } from '../chain/node-error.ts';
import type { Log } from '../runtime/log.ts';
import type { AdminToken } from '../runtime/token.ts';

export interface ControlParts {
  readonly chain: ControlledChain;
  readonly adminToken: AdminToken;
  readonly log: Log;
}

const refuse = (message: string): ProtocolError => new ProtocolError('BAD_REQUEST', message);

async function readObject(request: { json(): Promise<unknown> }): Promise<Readonly<Record<string, unknown>>> {
  const body = await request.json().catch(() => undefined);
  if (typeof body !== 'object' || body === null) throw refuse('the body must be a JSON object');
  return body as Record<string, unknown>;
}

/** Runs a parser on what came in; its complaint goes back to the caller. */
function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw refuse(messageOf(error));
  }
}

export function createControl({ chain, adminToken, log }: ControlParts): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    const given = c.req.header('authorization')?.replace(/^Bearer /i, '') ?? '';
    if (adminToken.matches(given)) return next();
    return c.json({ code: 'UNAUTHORIZED', message: 'the admin token is missing or wrong' }, 401);
  });
  app.onError((error, c) => {
    if (error instanceof ProtocolError) return c.json({ code: error.code, message: error.message }, 400);
    if (error instanceof NodeError) return c.json({ code: error.code, message: error.message }, 503);
    log.error({ err: error }, 'a control call failed');
    return c.json({ code: 'INTERNAL_ERROR', message: 'see the log' }, 500);
  });
  app.get('/status', async (c) => {
    const { height, hash } = await chain.tip();
    return c.json({ height, tip: hash });
  });
  app.post('/mine', async (c) => {
    const { blocks } = await readObject(c.req);
    const hashes = await chain.mine(Number(blocks));
    return c.json({ height: (await chain.tip()).height, hashes });
  });
  app.post('/faucet', async (c) => {
    const { address, amount } = await readObject(c.req);
    const script = parsed(() => parseAddress(chain.network, String(address)));
    return c.json({
      txid: await chain.faucet(
        script,
        parsed(() => parseSats(String(amount))),
      ),
    });
  });
  return app;
}
