/** Who wants to hear of which transactions, by filter: each filter is run once, however many want it. */
import { parsePsbt } from '../../bitcoin/psbt.ts';
import { DecodeError } from '../../bitcoin/reader.ts';
import { overLimit } from '../../runtime/over-limit.ts';
import { type Extension, isExtension, parseExtension } from '../protocol/extension.ts';
import { parseTxFilter, type TxFilter } from '../protocol/tx-filter.ts';
import type { VtxoChange } from '../wire/vtxo.ts';

export interface FilterBoard<Holder> {
  /**
   * Replaces the expressions of a holder, by those given or not at all. Throws `INVALID_TX_FILTER`, or `UNAVAILABLE`
   * when there would be too many.
   */
  set(holder: Holder, expressions: ReadonlySet<string>): void;
  /** Those with a filter that holds for the transaction. */
  wanting(change: VtxoChange): ReadonlySet<Holder>;
}

interface Entry<Holder> {
  readonly filter: TxFilter;
  readonly holders: Set<Holder>;
}

/** In all. */
const MOST_FILTERS = 1_000;
const RETRY_AFTER_SECONDS = 60;

/** Only ark transactions have one; what is none after all counts as none. */
function extensionOf({ kind, tx }: VtxoChange): Extension | undefined {
  if (kind !== 'ark') return undefined;
  const output = parsePsbt(tx).tx.outputs.find(({ script }) => isExtension(script));
  try {
    return output && parseExtension(output.script);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

export function createFilterBoard<Holder>(): FilterBoard<Holder> {
  const entries = new Map<string, Entry<Holder>>();
  const expressionsOf = new Map<Holder, ReadonlySet<string>>();

  return {
    set(holder, expressions) {
      const added = [...expressions].filter((each) => !entries.has(each));
      if (entries.size + added.length > MOST_FILTERS) {
        throw overLimit('UNAVAILABLE', 'too many filters', RETRY_AFTER_SECONDS);
      }
      const made = added.map((each) => [each, { filter: parseTxFilter(each), holders: new Set<Holder>() }] as const);
      for (const [expression, entry] of made) entries.set(expression, entry);
      for (const expression of expressionsOf.get(holder) ?? []) {
        if (expressions.has(expression)) continue;
        const { holders } = entries.get(expression)!;
        holders.delete(holder);
        if (holders.size === 0) entries.delete(expression);
      }
      for (const expression of expressions) entries.get(expression)!.holders.add(holder);
      if (expressions.size > 0) expressionsOf.set(holder, expressions);
      else expressionsOf.delete(holder);
    },

    wanting(change) {
      const wanting = new Set<Holder>();
      if (entries.size === 0) return wanting;
      const extension = extensionOf(change);
      for (const { filter, holders } of entries.values()) {
        if (filter.matches(extension)) for (const holder of holders) wanting.add(holder);
      }
      return wanting;
    },
  };
}
