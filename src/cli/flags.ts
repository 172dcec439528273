/** Settings as flags of a command. */
import type { Command } from 'commander';
import { type ConfigSource, flagOf, type Settings } from '../runtime/config.ts';

export function withSettings(command: Command, settings: Settings): Command {
  for (const [name, { placeholder, help }] of Object.entries(settings)) {
    command.option(placeholder ? `${flagOf(name)} <${placeholder}>` : flagOf(name), help);
  }
  return command;
}

/** Flags as texts, so that they are checked like every other source. */
export const textsOf = (command: Command): ConfigSource =>
  Object.fromEntries(Object.entries(command.opts()).map(([name, value]) => [name, String(value)]));
