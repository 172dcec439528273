/** grpc.health.v1: whether the server can do its work, for load balancers and for clients that ask before they call. */
import type { DescService } from '@bufbuild/protobuf';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import type { Clock } from './clock.ts';
import { Health, HealthCheckResponse_ServingStatus as Status } from './gen/grpc/health/v1/health_pb.ts';

/** How often a watched state is looked at. */
const WATCH_MS = 5_000;

export interface HealthParts {
  /** What can be asked about; the empty name is the server as a whole. */
  readonly services: readonly DescService[];
  readonly isServing: () => Promise<boolean>;
  readonly clock: Clock;
}

export function mountGrpcHealth(router: ConnectRouter, { services, isServing, clock }: HealthParts): void {
  const names = new Set(['', ...services.map((service) => service.typeName)]);
  const now = async (): Promise<Status> => ((await isServing()) ? Status.SERVING : Status.NOT_SERVING);
  const stateOf = async (name: string): Promise<Status> => (names.has(name) ? now() : Status.SERVICE_UNKNOWN);

  const pause = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const cancel = clock.setTimer(WATCH_MS, resolve);
      const end = (): void => {
        cancel();
        resolve();
      };
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
    });

  router.service(Health, {
    async check({ service }) {
      if (!names.has(service)) throw new ConnectError(`no such service: ${service}`, Code.NotFound);
      return { status: await now() };
    },
    async list() {
      const status = await now();
      return { statuses: Object.fromEntries([...names].map((name) => [name, { status }])) };
    },
    async *watch({ service }, { signal }) {
      let told: Status | undefined;
      while (!signal.aborted) {
        const status = await stateOf(service);
        if (status !== told) yield { status };
        told = status;
        await pause(signal);
      }
    },
  });
}
