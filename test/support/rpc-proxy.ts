/** Stands between a program and its bitcoind, and changes what the node says. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What to answer instead; `undefined` leaves the node's answer. */
export type Tamper = (method: string, result: unknown) => { result?: unknown; error?: object | null } | undefined;

export interface RpcProxy {
  readonly url: string;
  tamper: Tamper;
  /** Takes requests and answers none. */
  isSilent: boolean;
  close(): Promise<void>;
}

interface Answer {
  id: number;
  result: unknown;
  error: object | null;
}

export async function startRpcProxy(target: string, tamper: Tamper = () => undefined): Promise<RpcProxy> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    if (proxy.isSilent) return;
    const authorization = request.headers.authorization ?? '';
    const reached = await fetch(target, { method: 'POST', body, headers: { authorization } }).catch(() => undefined);
    if (!reached?.ok) {
      response.writeHead(reached?.status ?? 502).end(await reached?.text());
      return;
    }
    const calls = JSON.parse(body) as { id: number; method: string }[];
    const answers = (await reached.json()) as Answer[];
    const changed = answers.map((answer) => {
      const { method } = calls.find(({ id }) => id === answer.id)!;
      return { ...answer, ...proxy.tamper(method, answer.result) };
    });
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(changed));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const proxy: RpcProxy = {
    url: `http://127.0.0.1:${port}`,
    tamper,
    isSilent: false,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return proxy;
}
