import type { Bytes } from '../../base/bytes.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { Tx, TxIn, TxOut } from '../tx.ts';
import { hasFlag, type ScriptFlag, type ScriptFlags } from './flags.ts';

/** One input of one transaction under one set of rules: what every check of a script looks at. */
export interface Spend {
  readonly secp: Secp;
  readonly tx: Tx;
  readonly index: number;
  /** The outputs spent, one per input of `tx` in order. */
  readonly prevouts: readonly TxOut[];
  readonly flags: ScriptFlags;
}

/** BIP143 and BIP341 sign differently from what came before, and BIP342 runs differently too. */
export type SigVersion = 'base' | 'witnessV0' | 'tapscript';

/** BIP342: what a running tapscript knows besides its stack. */
export interface Leaf {
  readonly hash: Bytes;
  readonly annex: Bytes | undefined;
  /** Signature budget left, in weight units: each signature checked takes 50. */
  weightLeft: number;
}

export const inputOf = (spend: Spend): TxIn => spend.tx.inputs[spend.index]!;
export const prevoutOf = (spend: Spend): TxOut => spend.prevouts[spend.index]!;
export const requires = (spend: Spend, flag: ScriptFlag): boolean => hasFlag(spend.flags, flag);
