import type { Bytes } from '../../base/bytes.ts';
import { parseScriptNumber, scriptNumber } from '../script.ts';
import { check, fail, type ScriptError } from './failure.ts';

/** Consensus limits: bytes of one element; elements of stack and alternative stack together. */
export const MAX_ELEMENT_SIZE = 520;
export const MAX_STACK_SIZE = 1000;

const TRUE = Uint8Array.of(1);
const FALSE = new Uint8Array(0);

/** Any byte set makes it true, except that zero may carry a sign. */
export function castToBool(bytes: Bytes): boolean {
  const last = bytes.length - 1;
  return bytes.some((byte, i) => byte !== 0 && !(i === last && byte === 0x80));
}

/** BIP62: the last byte is there for its value or, being only a sign, because the one before has its top bit set. */
const isMinimalNumber = (bytes: Bytes): boolean =>
  bytes.length === 0 || (bytes.at(-1)! & 0x7f) !== 0 || (bytes.length > 1 && (bytes.at(-2)! & 0x80) !== 0);

/** Depth counts from the top, which is 1. Reaching below the bottom fails the script with `underflow`. */
export class Stack {
  readonly #items: Bytes[];
  readonly #underflow: ScriptError;
  readonly #minimalNumbers: boolean;

  constructor(items: readonly Bytes[], minimalNumbers: boolean, underflow: ScriptError = 'INVALID_STACK_OPERATION') {
    this.#items = [...items];
    this.#minimalNumbers = minimalNumbers;
    this.#underflow = underflow;
  }

  get size(): number {
    return this.#items.length;
  }

  items(): readonly Bytes[] {
    return this.#items;
  }

  need(count: number): void {
    check(this.#items.length >= count, this.#underflow);
  }

  peek(depth = 1): Bytes {
    return this.#items[this.#items.length - depth] ?? fail(this.#underflow);
  }

  pop(): Bytes {
    return this.#items.pop() ?? fail(this.#underflow);
  }

  drop(count: number): void {
    this.need(count);
    this.#items.length -= count;
  }

  push(item: Bytes): void {
    this.#items.push(item);
  }

  pushBool(value: boolean): void {
    this.#items.push(value ? TRUE : FALSE);
  }

  pushNumber(value: bigint): void {
    this.#items.push(scriptNumber(value));
  }

  /** Takes the element at `depth` out. */
  remove(depth: number): Bytes {
    this.need(depth);
    return this.#items.splice(this.#items.length - depth, 1)[0]!;
  }

  /** Puts `item` below the `depth` topmost elements. */
  insert(depth: number, item: Bytes): void {
    this.need(depth);
    this.#items.splice(this.#items.length - depth, 0, item);
  }

  /** The element at `depth` as a number of at most `maxBytes` bytes. */
  number(depth = 1, maxBytes = 4): bigint {
    const bytes = this.peek(depth);
    check(bytes.length <= maxBytes && (!this.#minimalNumbers || isMinimalNumber(bytes)), 'SCRIPTNUM');
    return parseScriptNumber(bytes);
  }
}
