/** Trouble that the person who runs the program can mend: shown as one line, without a stack, and a non-zero exit code. */
export type OperatorErrorCode =
  /** A flag, variable, file key or argument is unknown or has an impossible value. */
  | 'CONFIG_INVALID'
  | 'PORT_TAKEN'
  /** The host or port cannot be listened on for another reason. */
  | 'LISTEN_FAILED'
  /** A file or database in the data folder cannot be read or written. */
  | 'DATA_UNREADABLE'
  /** Another process works on the same data folder. */
  | 'DATA_IN_USE'
  /** The database server cannot be reached or used, or the hold on it was lost. */
  | 'DATABASE_UNREACHABLE'
  /** The database was written by a newer program. */
  | 'DATA_TOO_NEW'
  /** The database's history is not the one this program knows. */
  | 'DATA_ALTERED'
  | 'NETWORK_UNSUPPORTED'
  /** The Bitcoin node to run on cannot be reached or is not fit for it. */
  | 'NODE_UNUSABLE'
  /** A command found no running process to talk to. */
  | 'NOT_RUNNING'
  /** The running process refused a command. */
  | 'COMMAND_REFUSED';

export class OperatorError extends Error {
  override readonly name = 'OperatorError';
  readonly code: OperatorErrorCode;

  constructor(code: OperatorErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
