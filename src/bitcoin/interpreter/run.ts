/** Runs one script over a stack. */
import type { Bytes } from '../../base/bytes.ts';
import { fail } from './failure.ts';
import type { Leaf, SigVersion, Spend } from './spend.ts';

/** The stack that `code` leaves. Fails with a script error. */
export function runScript(
  _spend: Spend,
  _code: Bytes,
  _elements: readonly Bytes[],
  _version: SigVersion,
  _leaf?: Leaf,
): readonly Bytes[] {
  fail('BAD_OPCODE');
}
