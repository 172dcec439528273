/** Which rules apply: Bitcoin Core's `SCRIPT_VERIFY_…` flags under their own names, as a bit set. */

const NAMES = [
  'P2SH',
  'STRICTENC',
  'DERSIG',
  'LOW_S',
  'NULLDUMMY',
  'SIGPUSHONLY',
  'MINIMALDATA',
  'DISCOURAGE_UPGRADABLE_NOPS',
  'CLEANSTACK',
  'CHECKLOCKTIMEVERIFY',
  'CHECKSEQUENCEVERIFY',
  'WITNESS',
  'DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM',
  'MINIMALIF',
  'NULLFAIL',
  'WITNESS_PUBKEYTYPE',
  'CONST_SCRIPTCODE',
  'TAPROOT',
  'DISCOURAGE_UPGRADABLE_TAPROOT_VERSION',
  'DISCOURAGE_OP_SUCCESS',
  'DISCOURAGE_UPGRADABLE_PUBKEYTYPE',
  // BIP119, active on no public network: in none of the sets below.
  'CHECKTEMPLATEVERIFY',
] as const;

export type ScriptFlag = (typeof NAMES)[number];

/** A set of {@link ScriptFlag}; make one with {@link scriptFlags}. */
export type ScriptFlags = number & { readonly __brand: 'ScriptFlags' };

export const SCRIPT_FLAGS: readonly ScriptFlag[] = NAMES;

const BIT = Object.fromEntries(NAMES.map((name, i) => [name, 1 << i])) as Readonly<Record<ScriptFlag, number>>;

export const scriptFlags = (...names: readonly ScriptFlag[]): ScriptFlags =>
  names.reduce((bits, name) => bits | BIT[name], 0) as ScriptFlags;

export const hasFlag = (flags: ScriptFlags, name: ScriptFlag): boolean => (flags & BIT[name]) !== 0;

export const withFlags = (flags: ScriptFlags, ...names: readonly ScriptFlag[]): ScriptFlags =>
  (flags | scriptFlags(...names)) as ScriptFlags;

export const withoutFlags = (flags: ScriptFlags, ...names: readonly ScriptFlag[]): ScriptFlags =>
  (flags & ~scriptFlags(...names)) as ScriptFlags;

/** Parses `P2SH,WITNESS,…`; empty and `NONE` are the empty set. Throws `TypeError` on an unknown name. */
export function parseScriptFlags(text: string): ScriptFlags {
  const names = text.split(',').filter((name) => name !== '' && name !== 'NONE');
  return scriptFlags(
    ...names.map((name) => {
      if (!Object.hasOwn(BIT, name)) throw new TypeError(`not a script flag: ${name.slice(0, 60)}`);
      return name as ScriptFlag;
    }),
  );
}

/** What a block must obey on every network today (BIP16, 66, 65, 112, 141, 147, 341). */
export const CONSENSUS_FLAGS = scriptFlags(
  'P2SH',
  'DERSIG',
  'NULLDUMMY',
  'CHECKLOCKTIMEVERIFY',
  'CHECKSEQUENCEVERIFY',
  'WITNESS',
  'TAPROOT',
);

/** What Bitcoin Core's mempool asks on top of {@link CONSENSUS_FLAGS}. */
export const STANDARD_FLAGS = withFlags(
  CONSENSUS_FLAGS,
  'STRICTENC',
  'LOW_S',
  'MINIMALDATA',
  'DISCOURAGE_UPGRADABLE_NOPS',
  'CLEANSTACK',
  'DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM',
  'MINIMALIF',
  'NULLFAIL',
  'WITNESS_PUBKEYTYPE',
  'CONST_SCRIPTCODE',
  'DISCOURAGE_UPGRADABLE_TAPROOT_VERSION',
  'DISCOURAGE_OP_SUCCESS',
  'DISCOURAGE_UPGRADABLE_PUBKEYTYPE',
);
