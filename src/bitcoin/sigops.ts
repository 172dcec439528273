/** Signature operations as blocks count them: before they run, by what stands in the scripts. */
import type { Bytes } from '../base/bytes.ts';
import { hasFlag, type ScriptFlags } from './interpreter/flags.ts';
import { type Instruction, instructionAt, isP2SH, OP, witnessProgram } from './script.ts';
import { isCoinbase, type Tx, type TxIn, type TxOut } from './tx.ts';

/** What a multisig counts for where its keys are not counted. */
const KEYS_PER_MULTISIG = 20;
/** BIP141: outside of witnesses an operation costs four times as much. */
const SCALE = 4;

/** The instructions up to the first that is broken, if any. */
function* soundInstructions(script: Bytes): Generator<Instruction> {
  for (let at = 0; at < script.length; ) {
    const instruction = instructionAt(script, at);
    if (!instruction) return;
    yield instruction;
    at = instruction.end;
  }
}

function sigops(script: Bytes, keysOf: (before: number) => number): number {
  let count = 0;
  let before: number = OP.FALSE;
  for (const { op } of soundInstructions(script)) {
    if (op === OP.CHECKSIG || op === OP.CHECKSIGVERIFY) count++;
    else if (op === OP.CHECKMULTISIG || op === OP.CHECKMULTISIGVERIFY) count += keysOf(before);
    before = op;
  }
  return count;
}

const legacySigops = (script: Bytes): number => sigops(script, () => KEYS_PER_MULTISIG);

/** Counts a multisig by the number of keys pushed right before it (BIP16). */
export const accurateSigops = (script: Bytes): number =>
  sigops(script, (before) => (before >= OP.ONE && before <= OP.SIXTEEN ? before - OP.RESERVED : KEYS_PER_MULTISIG));

const NO_SCRIPT = new Uint8Array(0);

/** BIP16: the script that a P2SH input pushes last; empty when the scriptSig does more than push. */
export function redeemScript(scriptSig: Bytes): Bytes {
  let last: Bytes = NO_SCRIPT;
  let at = 0;
  for (const { op, data, end } of soundInstructions(scriptSig)) {
    if (op > OP.SIXTEEN) return NO_SCRIPT;
    last = data ?? NO_SCRIPT;
    at = end;
  }
  return at === scriptSig.length ? last : NO_SCRIPT;
}

/** BIP141. Taproot has a budget of its own and counts for nothing here. */
function witnessSigops(script: Bytes, witness: readonly Bytes[]): number {
  const segwit = witnessProgram(script);
  if (segwit?.version !== 0) return 0;
  if (segwit.program.length === 20) return 1;
  return segwit.program.length === 32 ? accurateSigops(witness.at(-1) ?? NO_SCRIPT) : 0;
}

function spendingCost(input: TxIn, { script }: TxOut, flags: ScriptFlags): number {
  const redeem = hasFlag(flags, 'P2SH') && isP2SH(script) ? redeemScript(input.scriptSig) : undefined;
  const witness = hasFlag(flags, 'WITNESS') ? witnessSigops(redeem ?? script, input.witness) : 0;
  return (redeem ? accurateSigops(redeem) * SCALE : 0) + witness;
}

/** What a transaction's own scripts cost, whatever it spends. */
export function ownSigopCostOf(tx: Tx): number {
  const scripts = [...tx.inputs.map((input) => input.scriptSig), ...tx.outputs.map((output) => output.script)];
  return scripts.reduce((sum, script) => sum + legacySigops(script), 0) * SCALE;
}

/** BIP141 signature operation cost; `prevouts` are the outputs spent, one per input in order, none for a coinbase. */
export function sigopCostOf(tx: Tx, prevouts: readonly TxOut[], flags: ScriptFlags): number {
  const own = ownSigopCostOf(tx);
  if (isCoinbase(tx)) return own;
  return tx.inputs.reduce((sum, input, i) => sum + spendingCost(input, prevouts[i]!, flags), own);
}

/** Signature checks that spending legacy outputs may come to: BIP54 bounds them per transaction. */
export const legacyInputSigops = (tx: Tx, prevouts: readonly TxOut[]): number =>
  tx.inputs.reduce((sum, { scriptSig }, i) => {
    const { script } = prevouts[i]!;
    return sum + accurateSigops(scriptSig) + accurateSigops(isP2SH(script) ? redeemScript(scriptSig) : script);
  }, 0);
