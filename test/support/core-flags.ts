/** How Bitcoin Core's test files name and combine script flags. */
import {
  parseScriptFlags,
  SCRIPT_FLAGS,
  type ScriptFlag,
  type ScriptFlags,
  scriptFlags,
  withFlags,
  withoutFlags,
} from '../../src/bitcoin/interpreter/verify.ts';

/** BIP119's files use the name of its reference implementation. */
export const parseCoreFlags = (text: string): ScriptFlags =>
  parseScriptFlags(text.replaceAll('DEFAULT_CHECK_TEMPLATE_VERIFY_HASH', 'CHECKTEMPLATEVERIFY'));

const contains = (flags: ScriptFlags, name: ScriptFlag): boolean => withFlags(flags, name) === flags;

/** Adds what a flag makes no sense without. */
export function filled(flags: ScriptFlags): ScriptFlags {
  const withWitness = contains(flags, 'CLEANSTACK') ? withFlags(flags, 'WITNESS') : flags;
  return contains(withWitness, 'WITNESS') ? withFlags(withWitness, 'P2SH') : withWitness;
}

/** Takes away the flags that lack what they make no sense without. */
export function trimmed(flags: ScriptFlags): ScriptFlags {
  const noWitness = contains(flags, 'P2SH') ? flags : withoutFlags(flags, 'WITNESS');
  return contains(noWitness, 'WITNESS') ? noWitness : withoutFlags(noWitness, 'CLEANSTACK');
}

export const allBut = (excluded: ScriptFlags): ScriptFlags =>
  scriptFlags(...SCRIPT_FLAGS.filter((name) => !contains(excluded, name)));

export const namesIn = (flags: ScriptFlags): readonly ScriptFlag[] =>
  SCRIPT_FLAGS.filter((name) => contains(flags, name));
