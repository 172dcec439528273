/** Filters of transactions in CEL, by what their extension carries: `has(tx.extension) && hasPacket(tx.extension, 0x42)`. */
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { toHex } from '../../base/bytes.ts';
import { messageOf } from '../../base/errors.ts';
import { arkError } from './errors.ts';
import type { Extension } from './extension.ts';

export interface TxFilter {
  /** Whether the filter holds for a transaction with this extension, or with none. What cannot be computed does not hold. */
  matches(extension: Extension | undefined): boolean;
}

const LONGEST_EXPRESSION = 1_000;
/** Strangers write these programs, and each runs once for each transaction that has an extension. */
const LIMITS = { maxAstNodes: 64, maxDepth: 16, maxListElements: 32, maxMapEntries: 32, maxCallArguments: 8 };
const LOOPS = new Set(['all', 'exists', 'exists_one', 'filter', 'map', 'sortBy']);

/** `tx.extension` maps the type of a packet to its content in hex. */
const environment = new Environment({ limits: LIMITS })
  .registerVariable({ name: 'tx', schema: { extension: 'map<int, string>' } })
  .registerFunction('hasPacket(map<int, string>, int): bool', (packets: Map<bigint, string>, type: bigint) =>
    packets.has(type),
  );

/** Throws `TypeError` at what could take long, and at fields that no transaction has. */
function checkNode(node: unknown, inLoop = false): void {
  if (Array.isArray(node)) for (const each of node) checkNode(each, inLoop);
  if (typeof node !== 'object' || node === null || !('op' in node)) return;
  const { op, args } = node as ASTNode;
  const list: readonly unknown[] = Array.isArray(args) ? args : [args];
  if (op === '.' && (list[0] as ASTNode).op === 'id' && (list[0] as ASTNode).args === 'tx' && list[1] !== 'extension') {
    throw new TypeError(`a transaction has no ${list[1]}`);
  }
  const name = op === 'rcall' || op === 'call' ? String(list[0]) : '';
  // Whoever picks pattern and text can make a backtracking matcher run for ever.
  if (name === 'matches') throw new TypeError('regular expressions are not admitted');
  if (LOOPS.has(name) && inLoop) throw new TypeError('loops within loops are not admitted');
  checkNode(list, inLoop || LOOPS.has(name));
}

const argumentsOf = (extension: Extension | undefined) => ({
  tx: extension ? { extension: new Map(extension.map(({ type, data }) => [BigInt(type), toHex(data)])) } : {},
});

/** Throws `INVALID_TX_FILTER`. */
export function parseTxFilter(expression: string): TxFilter {
  try {
    if (expression.length > LONGEST_EXPRESSION) throw new TypeError(`longer than ${LONGEST_EXPRESSION} characters`);
    const program = environment.parse(expression);
    const { valid, type, error } = program.check();
    if (!valid || type !== 'bool') throw new TypeError(error?.message ?? `gives ${type}, not bool`);
    checkNode(program.ast);
    const holds = (extension: Extension | undefined): boolean => {
      try {
        return program(argumentsOf(extension)) === true;
      } catch {
        return false;
      }
    };
    // Most transactions carry none, and to all of those the answer is the same.
    const withoutExtension = holds(undefined);
    return { matches: (extension) => (extension ? holds(extension) : withoutExtension) };
  } catch (error) {
    const shown = expression.slice(0, LONGEST_EXPRESSION);
    throw arkError('INVALID_TX_FILTER', `not a filter: ${messageOf(error)}`, { expression: shown });
  }
}
