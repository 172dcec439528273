/** Segwit programs: version 0 (BIP141) and taproot (BIP341, BIP342). */
import { type Bytes, equal } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/hash.ts';
import { instructionAt, isP2A, OP, push, script } from '../script.ts';
import { isCommitted, isControlSize, LEAF_VERSION, leafHash } from '../taproot.ts';
import { serializeWitness } from '../tx.ts';
import { check, fail } from './failure.ts';
import { runScript } from './run.ts';
import { checkSchnorr } from './schnorr-check.ts';
import { inputOf, type Leaf, prevoutOf, requires, type SigVersion, type Spend } from './spend.ts';
import { castToBool, MAX_ELEMENT_SIZE, MAX_STACK_SIZE } from './stack.ts';

const ANNEX_TAG = 0x50;
/** BIP342: the budget that every input has besides the size of its witness. */
const FREE_WEIGHT = 50;

export interface WitnessProgram {
  readonly version: number;
  readonly program: Bytes;
}

/** Runs the witness script; nothing but one true element may be left. */
function runWitnessScript(
  spend: Spend,
  code: Bytes,
  elements: readonly Bytes[],
  version: SigVersion,
  leaf?: Leaf,
): void {
  check(
    elements.every((element) => element.length <= MAX_ELEMENT_SIZE),
    'PUSH_SIZE',
  );
  const left = runScript(spend, code, elements, version, leaf);
  check(left.length === 1, 'CLEANSTACK');
  check(castToBool(left[0]!), 'EVAL_FALSE');
}

function verifyV0(spend: Spend, program: Bytes, witness: readonly Bytes[]): void {
  if (program.length === 20) {
    check(witness.length === 2, 'WITNESS_PROGRAM_MISMATCH');
    const code = script(OP.DUP, OP.HASH160, push(program), OP.EQUALVERIFY, OP.CHECKSIG);
    runWitnessScript(spend, code, witness, 'witnessV0');
  } else {
    check(program.length === 32, 'WITNESS_PROGRAM_WRONG_LENGTH');
    const code = witness.at(-1);
    if (!code) fail('WITNESS_PROGRAM_WITNESS_EMPTY');
    check(equal(sha256(code), program), 'WITNESS_PROGRAM_MISMATCH');
    runWitnessScript(spend, code, witness.slice(0, -1), 'witnessV0');
  }
}

/** BIP342: opcodes that make a tapscript valid by merely standing in it. */
const isSuccess = (op: number): boolean =>
  op === 0x50 ||
  op === 0x62 ||
  (op >= 0x7e && op <= 0x81) ||
  (op >= 0x83 && op <= 0x86) ||
  op === 0x89 ||
  op === 0x8a ||
  op === 0x8d ||
  op === 0x8e ||
  (op >= 0x95 && op <= 0x99) ||
  (op >= 0xbb && op <= 0xfe);

/** True when an OP_SUCCESS decides the script before it runs. */
function succeedsOutright(spend: Spend, code: Bytes): boolean {
  for (let at = 0; at < code.length; ) {
    const instruction = instructionAt(code, at);
    if (!instruction) fail('BAD_OPCODE');
    if (isSuccess(instruction.op)) {
      check(!requires(spend, 'DISCOURAGE_OP_SUCCESS'), 'DISCOURAGE_OP_SUCCESS');
      return true;
    }
    at = instruction.end;
  }
  return false;
}

function verifyScriptPath(
  spend: Spend,
  outputKey: Bytes,
  elements: readonly Bytes[],
  code: Bytes,
  control: Bytes,
  annex: Bytes | undefined,
): void {
  check(isControlSize(control.length), 'TAPROOT_WRONG_CONTROL_SIZE');
  check(isCommitted(spend.secp, control, code, outputKey), 'WITNESS_PROGRAM_MISMATCH');
  if ((control[0]! & 0xfe) !== LEAF_VERSION) {
    check(!requires(spend, 'DISCOURAGE_UPGRADABLE_TAPROOT_VERSION'), 'DISCOURAGE_UPGRADABLE_TAPROOT_VERSION');
    return;
  }
  if (succeedsOutright(spend, code)) return;
  check(elements.length <= MAX_STACK_SIZE, 'STACK_SIZE');
  const weightLeft = serializeWitness(inputOf(spend).witness).length + FREE_WEIGHT;
  runWitnessScript(spend, code, elements, 'tapscript', { hash: leafHash(code), annex, weightLeft });
}

function verifyTaproot(spend: Spend, outputKey: Bytes, witness: readonly Bytes[]): void {
  check(witness.length > 0, 'WITNESS_PROGRAM_WITNESS_EMPTY');
  const last = witness.at(-1)!;
  const annex = witness.length >= 2 && last[0] === ANNEX_TAG ? last : undefined;
  const elements = annex ? witness.slice(0, -1) : witness;
  if (elements.length === 1) checkSchnorr(spend, elements[0]!, outputKey, annex ? { annex } : {});
  else verifyScriptPath(spend, outputKey, elements.slice(0, -2), elements.at(-2)!, elements.at(-1)!, annex);
}

/** BIP141: does the input's witness satisfy `program`, which stood in the output or, `nested`, in its P2SH script? */
export function verifyWitnessProgram(spend: Spend, { version, program }: WitnessProgram, nested: boolean): void {
  const { witness } = inputOf(spend);
  if (version === 0) {
    verifyV0(spend, program, witness);
  } else if (version === 1 && program.length === 32 && !nested) {
    if (requires(spend, 'TAPROOT')) verifyTaproot(spend, program, witness);
  } else if (nested || !isP2A(prevoutOf(spend).script)) {
    check(!requires(spend, 'DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM'), 'DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM');
  }
}
