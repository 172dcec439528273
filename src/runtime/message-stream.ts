/** Messages that a server sends for as long as its listener stays: server-sent events, or a stream of gRPC. */

export interface MessageStream {
  /** Resolves when the stream is over, whoever ended it. */
  readonly closed: Promise<void>;
  /** Does nothing once the stream is over. A listener that does not read is disconnected. */
  send(message: object): void;
  end(): void;
}
