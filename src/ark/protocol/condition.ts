/** Whether a leaf's condition holds, decided by the rules that nodes relay and mine by. */
import type { Bytes } from '../../base/bytes.ts';
import { STANDARD_FLAGS, verifyInput } from '../../bitcoin/interpreter/verify.ts';
import { p2tr } from '../../bitcoin/script.ts';
import { controlBlock, leafHash, NUMS_KEY, outputKey } from '../../bitcoin/taproot.ts';
import { NULL_TXID, type Tx, txIn } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';

/** Bitcoin Core relays no tapscript spend with a larger stack element (`MAX_STANDARD_TAPSCRIPT_STACK_ITEM_SIZE`). */
const MAX_ITEM_SIZE = 80;
const MAX_ITEMS = 100;

/**
 * True when `condition`, run alone over `items`, leaves exactly one true element. It does the same inside its leaf,
 * because a closure's condition contains nothing that looks at the transaction or at what lies below its arguments.
 */
export function conditionHolds(secp: Secp, condition: Bytes, items: readonly Bytes[]): boolean {
  if (items.length > MAX_ITEMS || items.some((item) => item.length > MAX_ITEM_SIZE)) return false;
  const { xonly, parity } = outputKey(secp, NUMS_KEY, leafHash(condition));
  const input = txIn({ txid: NULL_TXID, vout: 0 });
  const witness = [...items, condition, controlBlock(NUMS_KEY, parity, [])];
  const tx: Tx = { version: 2, inputs: [{ ...input, witness }], outputs: [], locktime: 0 };
  return verifyInput(secp, tx, 0, [{ value: 0n, script: p2tr(xonly) }], STANDARD_FLAGS) === undefined;
}
