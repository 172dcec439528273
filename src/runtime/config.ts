/**
 * Configuration from four places, the first that names a setting wins: flag, environment, config file, default.
 * `chainPort` is `--chain-port`, `CANALWORKS_CHAIN_PORT`, and `chainPort` in the file.
 */
import { messageOf } from '../base/errors.ts';
import { OperatorError } from './operator-error.ts';

export interface Setting<T> {
  /** Throws with a reason when the text is no such value. */
  readonly parse: (text: string) => T;
  readonly fallback: T;
  /** What the flag's value is called in the help; a setting without one is a switch. */
  readonly placeholder?: string;
  /** A wrong value is not repeated in the complaint. */
  readonly isSecret?: boolean;
  readonly help: string;
}

export type Settings = Readonly<Record<string, Setting<unknown>>>;
export type ConfigOf<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** Texts by setting name. */
export type ConfigSource = Readonly<Record<string, string>>;

const ENVIRONMENT_PREFIX = 'CANALWORKS_';

const words = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
export const flagOf = (name: string): string => `--${words(name)}`;
export const variableOf = (name: string): string =>
  `${ENVIRONMENT_PREFIX}${words(name).replaceAll('-', '_').toUpperCase()}`;

const invalid = (message: string): OperatorError => new OperatorError('CONFIG_INVALID', message);

/** The variables that name a setting. Throws CONFIG_INVALID on one that has our prefix and names none. */
export function readEnvironment(settings: Settings, environment: NodeJS.ProcessEnv): ConfigSource {
  const names = new Map(Object.keys(settings).map((name) => [variableOf(name), name]));
  const source: Record<string, string> = {};
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(ENVIRONMENT_PREFIX) || text === undefined) continue;
    const name = names.get(variable);
    if (!name) throw invalid(`there is no setting for the environment variable ${variable}`);
    source[name] = text;
  }
  return source;
}

/** The settings in a config file's text: one JSON object of strings, numbers and booleans. Throws CONFIG_INVALID. */
export function parseConfigFile(settings: Settings, text: string, path: string): ConfigSource {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw invalid(`${path} is not JSON: ${messageOf(error)}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw invalid(`${path} must hold one JSON object`);
  }
  const source: Record<string, string> = {};
  for (const [name, value] of Object.entries(content)) {
    if (!Object.hasOwn(settings, name)) throw invalid(`${path}: there is no setting ${JSON.stringify(name)}`);
    if (!['string', 'number', 'boolean'].includes(typeof value)) {
      throw invalid(`${path}: ${name} must be a string, a number or a boolean`);
    }
    source[name] = String(value);
  }
  return source;
}

/** One checked value per setting. Throws CONFIG_INVALID, naming the setting as the flag is written. */
export function resolveConfig<S extends Settings>(settings: S, sources: readonly ConfigSource[]): ConfigOf<S> {
  const entries = Object.entries(settings).map(([name, setting]) => {
    const text = sources.find((source) => source[name] !== undefined)?.[name];
    if (text === undefined) return [name, setting.fallback];
    try {
      return [name, setting.parse(text)];
    } catch (error) {
      throw invalid(`${flagOf(name)}${setting.isSecret ? '' : ` ${JSON.stringify(text)}`}: ${messageOf(error)}`);
    }
  });
  return Object.fromEntries(entries) as ConfigOf<S>;
}

/** A whole number from `min` to `max`. */
export const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^[0-9]{1,15}$/.test(text) || value < min || value > max) {
      throw new RangeError(`must be a whole number from ${min} to ${max}`);
    }
    return value;
  };

export const oneOf =
  <T extends string>(...choices: readonly T[]) =>
  (text: string): T => {
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) throw new RangeError(`must be one of ${choices.join(', ')}`);
    return choice;
  };

export const yesOrNo = (text: string): boolean => oneOf('true', 'false')(text) === 'true';
