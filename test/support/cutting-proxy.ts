/** A TCP proxy that breaks a connection off at a message of the client's, for faults that no server makes on demand. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Cut {
  /** What the client must send for the connection to break. */
  readonly at: string;
  /** `before` the server sees the message, or `after` it has answered, unheard. */
  readonly when: 'before' | 'after';
  /** Whether connections are accepted from then on. */
  readonly afterwards: 'recover' | 'refuse';
}

export interface CuttingProxy {
  readonly port: number;
  /** The next connection to send it is cut. */
  arm(cut: Cut): void;
  close(): Promise<void>;
}

export async function startCuttingProxy(target: {
  readonly host: string;
  readonly port: number;
}): Promise<CuttingProxy> {
  let armed: Cut | undefined;
  let refusing = false;
  const sockets = new Set<Socket>();
  const track = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };

  const proxy = createServer((inside) => {
    track(inside);
    if (refusing) return void inside.destroy();
    const outside = track(connect(target));
    const breakOff = (): void => {
      inside.destroy();
      outside.destroy();
    };
    let deaf = false;
    inside.on('data', (chunk) => {
      const cut = armed && chunk.includes(armed.at) ? armed : undefined;
      if (!cut) return void outside.write(chunk);
      armed = undefined;
      refusing = cut.afterwards === 'refuse';
      if (cut.when === 'before') return breakOff();
      deaf = true;
      outside.write(chunk);
    });
    outside.on('data', (chunk) => (deaf ? breakOff() : void inside.write(chunk)));
    inside.on('close', () => outside.end());
    outside.on('close', () => inside.end());
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');

  return {
    port: (proxy.address() as { port: number }).port,
    arm: (cut) => {
      armed = cut;
    },
    async close() {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
