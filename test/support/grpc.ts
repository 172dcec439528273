/** A foreign gRPC client: the reference implementation for Node, knowing of the server no more than `proto/`. */
import { join } from 'node:path';
import { type DescMethod, type DescService, getOption } from '@bufbuild/protobuf';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { Call, MessageStream, Transport } from '../../src/ark/client/transport.ts';
import { AdminService } from '../../src/ark/wire/gen/ark/v1/admin_pb.ts';
import { IndexerService } from '../../src/ark/wire/gen/ark/v1/indexer_pb.ts';
import { ArkService } from '../../src/ark/wire/gen/ark/v1/service_pb.ts';
import { http } from '../../src/ark/wire/gen/google/api/annotations_pb.ts';
import type { Fields } from '../../src/ark/wire/request.ts';
import { ProtocolError } from '../../src/base/errors.ts';

const PROTO = join(import.meta.dirname, '..', '..', 'proto');
const FILES = ['service', 'indexer', 'admin', 'wallet', 'signer_manager', 'types'].map(
  (name) => `ark/v1/${name}.proto`,
);

const packages = grpc.loadPackageDefinition(
  loadSync([...FILES, 'grpc/health/v1/health.proto', 'grpc/reflection/v1/reflection.proto'], {
    includeDirs: [PROTO],
    longs: String,
    enums: String,
    defaults: true,
  }),
) as unknown as {
  ark: { v1: Record<string, grpc.ServiceClientConstructor> };
  grpc: { health: { v1: { Health: grpc.ServiceClientConstructor } } } & {
    reflection: { v1: { ServerReflection: grpc.ServiceClientConstructor } };
  };
};

export type Metadata = Readonly<Record<string, string>>;
// biome-ignore lint/suspicious/noExplicitAny: what it holds is up to whoever asked for it
export type Message = Record<string, any>;

/** What a call was refused with. */
export class GrpcRefusal extends Error {
  readonly status: number;
  /** ark.v1.ErrorDetails out of google.rpc.Status, where there are any. */
  readonly details: Message | undefined;

  constructor(error: grpc.ServiceError) {
    super(error.details);
    this.status = error.code;
    this.details = detailsOf(error.metadata);
  }
}

/** Fields of a message of protobuf by number, each as varint or bytes. */
function fieldsOf(bytes: Buffer): Map<number, Buffer[]> {
  const fields = new Map<number, Buffer[]>();
  let at = 0;
  const varint = (): number => {
    let [value, shift] = [0, 0];
    for (let byte = 0x80; byte & 0x80; shift += 7) value += ((byte = bytes[at++]!) & 0x7f) * 2 ** shift;
    return value;
  };
  while (at < bytes.length) {
    const tag = varint();
    const isBytes = (tag & 7) === 2;
    const value = varint();
    const content = isBytes ? bytes.subarray(at, (at += value)) : Buffer.from(`${value}`);
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), content]);
  }
  return fields;
}

function detailsOf(metadata: grpc.Metadata): Message | undefined {
  const [status] = metadata.get('grpc-status-details-bin');
  if (!status) return undefined;
  const text = (fields: Map<number, Buffer[]>, number: number): string => `${fields.get(number)?.[0] ?? ''}`;
  const outer = fieldsOf(status as Buffer);
  const [any] = (outer.get(3) ?? []).map(fieldsOf);
  if (!any) return undefined;
  const details = fieldsOf(any.get(2)![0]!);
  const entries = (details.get(4) ?? []).map(fieldsOf).map((entry) => [text(entry, 1), text(entry, 2)]);
  return {
    '@type': text(any, 1),
    code: Number(text(details, 1) || 0),
    name: text(details, 2),
    message: text(details, 3),
    metadata: Object.fromEntries(entries),
  };
}

export interface GrpcStream extends AsyncIterable<Message> {
  readonly raw: grpc.ClientReadableStream<Message>;
  next(): Promise<Message | undefined>;
  close(): void;
}

export interface GrpcClient {
  readonly channel: grpc.Client;
  call(method: string, request?: object, metadata?: Metadata): Promise<Message>;
  stream(method: string, request?: object, metadata?: Metadata): GrpcStream;
  close(): void;
}

export const metadataOf = (entries: Metadata): grpc.Metadata => {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(entries)) metadata.set(name, value);
  return metadata;
};

function clientOf(Service: grpc.ServiceClientConstructor, address: string): GrpcClient {
  const client = new Service(address, grpc.credentials.createInsecure()) as grpc.Client & Message;
  return {
    channel: client,
    call: (method, request = {}, metadata = {}) =>
      new Promise((resolve, reject) => {
        client[method](request, metadataOf(metadata), (error: grpc.ServiceError | null, answer: Message) =>
          error ? reject(new GrpcRefusal(error)) : resolve(answer),
        );
      }),
    stream(method, request = {}, metadata = {}) {
      const raw: grpc.ClientReadableStream<Message> = client[method](request, metadataOf(metadata));
      const messages = raw[Symbol.asyncIterator]();
      const next = async (): Promise<Message | undefined> => {
        try {
          const { value, done } = await messages.next();
          return done ? undefined : value;
        } catch (error) {
          if ((error as grpc.ServiceError).code === grpc.status.CANCELLED) return undefined;
          throw new GrpcRefusal(error as grpc.ServiceError);
        }
      };
      return {
        raw,
        next,
        close: () => raw.cancel(),
        async *[Symbol.asyncIterator]() {
          for (let message = await next(); message; message = await next()) yield message;
        },
      };
    },
    close: () => client.close(),
  };
}

export type ArkServiceName =
  | 'ArkService'
  | 'IndexerService'
  | 'AdminService'
  | 'WalletService'
  | 'WalletInitializerService'
  | 'SignerManagerService';

/** `url` is that of the door. */
export const grpcClient = (service: ArkServiceName, url: string): GrpcClient =>
  clientOf(packages.ark.v1[service]!, new URL(url).host);
export const healthClient = (url: string): GrpcClient => clientOf(packages.grpc.health.v1.Health, new URL(url).host);
export const ReflectionClient = packages.grpc.reflection.v1.ServerReflection;

/** The method that a REST route stands for. */
function methodAt(service: DescService, { route }: Call): DescMethod | undefined {
  return service.methods.find((method) => {
    const { case: verb, value } = getOption(method, http).pattern;
    const path = `${value}`.replace(/\{(?:\w+\.)?(\w+)\}/g, ':$1').replace(':subscription_id', ':id');
    return verb?.toUpperCase() === route.method && path === route.path;
  });
}

/** Carries the calls of our own client by gRPC: what it asks over REST reaches the server as protobuf. */
export function grpcTransport(url: string): Transport & { close(): void } {
  const services = [ArkService, IndexerService, AdminService] as const;
  const clients = services.map((service) => [service, grpcClient(service.name as ArkServiceName, url)] as const);

  function find(call: Call): [method: DescMethod, client: GrpcClient] {
    for (const [service, client] of clients) {
      const method = methodAt(service, call);
      if (method) return [method, client];
    }
    throw new Error(`no method for ${call.route.path}`);
  }

  /** Path, query and body are one message. */
  function requestOf({ params = {}, query = {}, body = {} }: Call): object {
    const request: Message = { ...body };
    for (const [name, value] of Object.entries({ ...params, ...query })) {
      const path = name === 'vout' || name === 'txid' ? ['outpoint', name] : name.split('.');
      let fields = request;
      for (const step of path.slice(0, -1)) fields = fields[step] ??= {};
      fields[path.at(-1)!] = name === 'txids' ? `${value}`.split(',') : value;
    }
    return request;
  }

  const refusalOf = (error: unknown): unknown =>
    error instanceof GrpcRefusal && error.details
      ? new ProtocolError(error.details.name, error.details.message, error.details.metadata)
      : error;

  return {
    async call(call) {
      const [method, client] = find(call);
      try {
        return (await client.call(method.name, requestOf(call), call.headers)) as Fields;
      } catch (error) {
        throw refusalOf(error);
      }
    },
    async open(call): Promise<MessageStream> {
      const [method, client] = find(call);
      const stream = client.stream(method.name, requestOf(call), call.headers);
      return stream;
    },
    close: () => {
      for (const [, client] of clients) client.close();
    },
  };
}
