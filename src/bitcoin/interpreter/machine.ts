import type { Bytes } from '../../base/bytes.ts';
import { check, type ScriptError } from './failure.ts';
import { type Leaf, requires, type SigVersion, type Spend } from './spend.ts';
import { castToBool, Stack } from './stack.ts';

/** Before BIP342 a script may execute no more operations, pushes not counted. */
const MAX_OPERATIONS = 201;

/** Which of the nested IFs run: their depth and the outermost that does not are all there is to know. */
export class Conditions {
  #depth = 0;
  /** 0 while every branch runs. */
  #idleFrom = 0;

  get depth(): number {
    return this.#depth;
  }

  get running(): boolean {
    return this.#idleFrom === 0;
  }

  open(value: boolean): void {
    this.#depth++;
    if (!value && this.running) this.#idleFrom = this.#depth;
  }

  flip(): void {
    if (this.running) this.#idleFrom = this.#depth;
    else if (this.#idleFrom === this.#depth) this.#idleFrom = 0;
  }

  close(): void {
    if (this.#idleFrom === this.#depth) this.#idleFrom = 0;
    this.#depth--;
  }
}

/** A script at work. */
export class Machine {
  readonly spend: Spend;
  readonly script: Bytes;
  readonly version: SigVersion;
  readonly leaf: Leaf | undefined;
  readonly stack: Stack;
  readonly alt: Stack;
  readonly conditions = new Conditions();
  readonly minimal: boolean;
  /** Where the signed part of the script begins: after the last OP_CODESEPARATOR executed. */
  signedFrom = 0;
  /** BIP342: the position of that OP_CODESEPARATOR, counted in instructions. */
  codeSeparator = 0xffffffff;
  #operations = 0;

  constructor(spend: Spend, script: Bytes, elements: readonly Bytes[], version: SigVersion, leaf?: Leaf) {
    this.spend = spend;
    this.script = script;
    this.version = version;
    this.leaf = leaf;
    this.minimal = requires(spend, 'MINIMALDATA');
    this.stack = new Stack(elements, this.minimal);
    this.alt = new Stack([], this.minimal, 'INVALID_ALTSTACK_OPERATION');
  }

  countOperations(count: number): void {
    if (this.version === 'tapscript') return;
    this.#operations += count;
    check(this.#operations <= MAX_OPERATIONS, 'OP_COUNT');
  }

  /** What every …VERIFY does last: takes a true top away, or fails. */
  verifyTop(error: ScriptError): void {
    check(castToBool(this.stack.peek()), error);
    this.stack.pop();
  }
}

/** Where an instruction stands: how many come before it, and the byte after it. */
export interface Position {
  readonly ordinal: number;
  readonly end: number;
}

export type Operation = (machine: Machine, position: Position) => void;

/** Operations by opcode. */
export type Operations = Readonly<Record<number, Operation>>;
