/** What can be wrong with the node itself, as opposed to what it was asked. */

export type NodeErrorCode =
  /** Nobody answers, or not in time. */
  | 'NODE_UNREACHABLE'
  /** User and password, or the cookie, are not those of the node. */
  | 'NODE_UNAUTHORIZED'
  /** It is loading its blocks and answers in a moment. */
  | 'NODE_STARTING'
  /** It has not the whole chain yet. */
  | 'NODE_SYNCING'
  | 'NODE_TOO_OLD'
  | 'NODE_WRONG_NETWORK'
  /** A block that the index needs has been pruned. */
  | 'NODE_PRUNED'
  /** The node's chain does not go through the first block of the index. */
  | 'NODE_FOREIGN_CHAIN'
  /** What answers does not act like a bitcoind. */
  | 'NODE_MISBEHAVES';

/** The node cannot be used now. Nothing was changed, and the same call may succeed later. */
export class NodeError extends Error {
  override readonly name = 'NodeError';
  readonly code: NodeErrorCode;

  constructor(code: NodeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
