/** What may be told to a peer about a refusal: values are strings so that every wire can carry them. */
export type ErrorData = Readonly<Record<string, string>>;

/**
 * A refusal: the other side asked for something the protocol does not allow.
 * `code` is what programs and tests compare; the sentence is for people.
 */
export class ProtocolError<Code extends string = string> extends Error {
  override readonly name = 'ProtocolError';
  readonly code: Code;
  readonly data: ErrorData;

  constructor(code: Code, message: string, data: ErrorData = {}) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** A broken promise of our own. Never shown to a peer, always logged. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** The sentence of anything thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
