/** Bitcoin's script rules as consensus and bitcoind's policy have them: may this transaction spend these outputs? */
import { type Bytes, equal } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import type { Secp } from '../../crypto/secp.ts';
import { isP2SH, isPushOnly, push, witnessProgram } from '../script.ts';
import type { Tx, TxOut } from '../tx.ts';
import { check, fail, type ScriptError, ScriptFailure } from './failure.ts';
import type { ScriptFlags } from './flags.ts';
import { runScript } from './run.ts';
import { inputOf, prevoutOf, requires, type Spend } from './spend.ts';
import { castToBool } from './stack.ts';
import { verifyWitnessProgram } from './witness.ts';

export type { ScriptError } from './failure.ts';
export {
  CONSENSUS_FLAGS,
  parseScriptFlags,
  SCRIPT_FLAGS,
  type ScriptFlag,
  type ScriptFlags,
  STANDARD_FLAGS,
  scriptFlags,
  withFlags,
  withoutFlags,
} from './flags.ts';

/** Runs `script`, which must leave a true top. */
function runToTrue(spend: Spend, script: Bytes, elements: readonly Bytes[]): readonly Bytes[] {
  const left = runScript(spend, script, elements, 'base');
  const top = left.at(-1);
  check(top !== undefined && castToBool(top), 'EVAL_FALSE');
  return left;
}

/** BIP16: the last push is the script, what lies below it are its arguments. Returns what it leaves and what ran. */
function runRedeemScript(spend: Spend, pushed: readonly Bytes[]): { left: readonly Bytes[]; redeem: Bytes } {
  check(isPushOnly(inputOf(spend).scriptSig), 'SIG_PUSHONLY');
  const redeem = pushed.at(-1);
  if (!redeem) fail('EVAL_FALSE');
  return { left: runToTrue(spend, redeem, pushed.slice(0, -1)), redeem };
}

function verifySpend(spend: Spend): void {
  const { scriptSig, witness } = inputOf(spend);
  const { script } = prevoutOf(spend);
  const segwit = requires(spend, 'WITNESS');
  check(!requires(spend, 'SIGPUSHONLY') || isPushOnly(scriptSig), 'SIG_PUSHONLY');
  const pushed = runScript(spend, scriptSig, [], 'base');
  let left = runToTrue(spend, script, pushed);
  let program = segwit ? witnessProgram(script) : undefined;
  if (program) {
    check(scriptSig.length === 0, 'WITNESS_MALLEATED');
    verifyWitnessProgram(spend, program, false);
  }
  if (requires(spend, 'P2SH') && isP2SH(script)) {
    const inner = runRedeemScript(spend, pushed);
    left = inner.left;
    program = segwit ? witnessProgram(inner.redeem) : undefined;
    if (program) {
      check(equal(scriptSig, push(inner.redeem)), 'WITNESS_MALLEATED_P2SH');
      verifyWitnessProgram(spend, program, true);
    }
  }
  // A witness program leaves itself behind; the witness check has run on a stack of its own.
  check(!requires(spend, 'CLEANSTACK') || program !== undefined || left.length === 1, 'CLEANSTACK');
  check(!segwit || program !== undefined || witness.length === 0, 'WITNESS_UNEXPECTED');
}

/**
 * Why input `index` may not spend its output, or `undefined` when it may. `prevouts` are the outputs spent, one
 * per input in order; hand in the same array for every input, since what the inputs share is remembered by it.
 */
export function verifyInput(
  secp: Secp,
  tx: Tx,
  index: number,
  prevouts: readonly TxOut[],
  flags: ScriptFlags,
): ScriptError | undefined {
  invariant(prevouts.length === tx.inputs.length, 'one output spent per input');
  invariant(index in tx.inputs, 'the input is one of the transaction');
  try {
    verifySpend({ secp, tx, index, prevouts, flags });
    return undefined;
  } catch (error) {
    if (error instanceof ScriptFailure) return error.error;
    throw error;
  }
}

/** The first input that may not spend its output, and why; `undefined` when all may. See {@link verifyInput}. */
export function verifyTx(
  secp: Secp,
  tx: Tx,
  prevouts: readonly TxOut[],
  flags: ScriptFlags,
): { readonly index: number; readonly error: ScriptError } | undefined {
  for (let index = 0; index < tx.inputs.length; index++) {
    const error = verifyInput(secp, tx, index, prevouts, flags);
    if (error) return { index, error };
  }
  return undefined;
}
