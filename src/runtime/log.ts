/** The log: one JSON line per event on stderr, since stdout belongs to what a command answers. */
import { type Logger, pino } from 'pino';

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `log.info({ data }, 'sentence')`; `log.child({ part })` marks everything that a part says. */
export type Log = Pick<Logger, 'error' | 'warn' | 'info' | 'debug' | 'trace'> & { child(bindings: object): Log };

/** Keys whose values never reach the log, up to three levels deep. */
const SECRET_KEYS = ['secret', 'secretKey', 'mnemonic', 'seed', 'password', 'token', 'adminToken', 'authorization'];
const redact = SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/** Where the lines go; the default is stderr, written synchronously so that the last words before an exit are kept. */
export interface LogTarget {
  write(line: string): void;
}

/** Errors given as `err` are printed with their stack; that is for the log only, never for a peer. */
export function createLog(level: LogLevel, target: LogTarget = pino.destination({ dest: 2, sync: true })): Log {
  return pino({ level, redact, base: null }, target);
}

export const silentLog: Log = pino({ level: 'silent' }, { write: () => {} });
