/**
 * What a call means, whichever way it came: a request in proto3 JSON, and an answer in the JSON form of the message
 * that the service's protobuf names. REST prints the answer as it stands, gRPC as protobuf.
 */
import type { DescMethod, DescService, MessageJsonType } from '@bufbuild/protobuf';
import type { MessageStream } from '../../runtime/message-stream.ts';
import type { Peer } from '../../runtime/peer.ts';
import type { Fields } from '../wire/request.ts';

export interface Call {
  readonly method: DescMethod;
  /** Value of an HTTP header or of gRPC metadata, by its lower-case name. */
  header(name: string): string | undefined;
  readonly peer: Peer;
}

export interface StreamCall extends Call {
  /** Accepts the listener. Whatever is wrong with the request must be refused before. */
  open(): MessageStream;
}

/** The JSON form `T`, made by us: lists and messages are read-only, and what is absent may be `null`. */
export type Printed<T> = T extends readonly (infer Item)[]
  ? readonly Printed<Item>[]
  : T extends object
    ? { readonly [Name in keyof T]: Printed<T[Name]> | null }
    : T;

type Handler<M extends DescMethod> = M['methodKind'] extends 'unary'
  ? (
      request: Fields,
      call: Call,
    ) => Printed<MessageJsonType<M['output']>> | Promise<Printed<MessageJsonType<M['output']>>>
  : (request: Fields, call: StreamCall) => void | Promise<void>;

/** One handler for each method of a service. */
export type Calls<S extends DescService> = { readonly [Name in keyof S['method']]: Handler<S['method'][Name]> };

/** Runs before every handler; what it throws refuses the call. */
export type Guard = (call: Call) => void;

/** A handler of either kind, for whoever mounts them. */
export type AnyHandler = (request: Fields, call: Call | StreamCall) => Promise<object | undefined> | object | undefined;
