/** What a command of `canalworks ark` is made of: how it is typed, what it asks the server, how the answer is shown. */
import type { ConfigOf, Settings } from '../../runtime/config.ts';
import type { Admin } from '../admin.ts';

export interface Spec<S extends Settings, A> {
  /** Words, then arguments: `wallet withdraw <ADDRESS> <SATS>`. */
  readonly usage: string;
  readonly help: string;
  readonly options?: S;
  ask(admin: Admin, args: readonly string[], options: ConfigOf<S>): Promise<A>;
  /** For people; `--json` prints the answer as it came. */
  show(answer: A): string;
}

/** A command whose types have been checked and are nobody's business any more. */
export interface ArkCommand {
  readonly usage: string;
  readonly help: string;
  readonly options: Settings;
  ask(admin: Admin, args: readonly string[], options: Readonly<Record<string, unknown>>): Promise<unknown>;
  show(answer: unknown): string;
}

export const command = <A, S extends Settings = Record<never, never>>(spec: Spec<S, A>): ArkCommand => ({
  options: {},
  ...spec,
  ask: (admin, args, options) => spec.ask(admin, args, options as ConfigOf<S>),
  show: (answer) => spec.show(answer as A),
});

/** For commands after which nothing is to be said but that it worked. */
export const done = (): string => 'done\n';
