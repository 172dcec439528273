/** Messages that a server sends for as long as its listener stays: server-sent events, or a stream of gRPC. */

export interface MessageStream {
  /** Resolves when the stream is over, whoever ended it. */
  readonly closed: Promise<void>;
  /** Does nothing once the stream is over. A listener that does not read is disconnected. */
  send(message: object): void;
  end(): void;
}

interface Addressed {
  readonly common: object;
  readonly id: string;
}

const addresses = new WeakMap<object, Addressed>();

/** `{"kind":{"id":…}}` with another id, for one of many listeners who are told the same but for that. */
export function addressed(common: object, id: string): object {
  const message = Object.fromEntries(Object.entries(common).map(([kind, body]) => [kind, { ...body, id }]));
  addresses.set(message, { common, id });
  return message;
}

/** Of what, and for which id, a message is an {@link addressed} copy. */
export const addressOf = (message: object): Addressed | undefined => addresses.get(message);
