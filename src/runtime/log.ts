/** The log: one JSON line per event on stderr, since stdout belongs to what a command answers. */
import { type Logger, pino } from 'pino';

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `log.info({ data }, 'sentence')`; `log.child({ part })` marks everything that a part says. */
export type Log = Pick<Logger, 'error' | 'warn' | 'info' | 'debug' | 'trace'> & { child(bindings: object): Log };

/** Keys whose values never reach the log, up to three levels deep. */
const SECRET_KEYS = [
  ...['secret', 'secretKey', 'privateKey', 'mnemonic', 'seed', 'password', 'token', 'adminToken', 'authorization'],
  ...['nonce', 'preimage', 'note', 'notes', 'proof', 'psbt'],
];
const redact = SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/** Enough for a txid or a reason; whatever is longer was sent by somebody and may hold what is theirs alone. */
const LONGEST_DETAIL = 200;
const DEEPEST_CAUSE = 3;

/** An error's sentence, code and stack, and what is short of its data; nothing else that somebody may have hung on it. */
function printError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return String(error).slice(0, LONGEST_DETAIL);
  const { code, data, cause } = error as { code?: unknown; data?: unknown; cause?: unknown };
  const details = Object.entries(typeof data === 'object' && data !== null ? data : {}).filter(
    ([, value]) => typeof value === 'string' && value.length <= LONGEST_DETAIL,
  );
  return {
    type: error.name,
    message: error.message,
    ...(code !== undefined && { code }),
    ...(details.length > 0 && { data: Object.fromEntries(details) }),
    stack: error.stack,
    ...(cause !== undefined && depth < DEEPEST_CAUSE && { cause: printError(cause, depth + 1) }),
  };
}

/** Where the lines go; the default is stderr, written synchronously so that the last words before an exit are kept. */
export interface LogTarget {
  write(line: string): void;
}

/** Errors given as `err` are printed with their stack; that is for the log only, never for a peer. */
export function createLog(level: LogLevel, target: LogTarget = pino.destination({ dest: 2, sync: true })): Log {
  return pino({ level, redact, base: null, serializers: { err: (error) => printError(error) } }, target);
}

export const silentLog: Log = pino({ level: 'silent' }, { write: () => {} });
