/** Ark notes: money the operator hands out by text; whoever redeems it first in a batch has it. */
import { toHex } from '../../base/bytes.ts';
import { sats } from '../../base/units.ts';
import { demand } from '../protocol/errors.ts';
import { noteVtxo, printNote } from '../protocol/note.ts';
import type { ArkContext } from './context.ts';
import { insertVtxos } from './store/vtxos.ts';

const MAX_NOTE = 0xffffffffn;
const MAX_QUANTITY = 1_000;

/** Makes `quantity` notes of `amount` satoshi each, durable before they are told. Throws `AMOUNT_TOO_LOW` and the like. */
export async function createNotes(ctx: ArkContext, amount: bigint, quantity: number): Promise<string[]> {
  demand(amount > 0n, 'AMOUNT_TOO_LOW', 'a note is worth at least 1 sat', { amount: `${amount}`, min_amount: '1' });
  demand(amount <= MAX_NOTE, 'AMOUNT_TOO_HIGH', `a note is worth at most ${MAX_NOTE} sat`, { amount: `${amount}` });
  demand(quantity >= 1 && quantity <= MAX_QUANTITY, 'AMOUNT_TOO_HIGH', `between 1 and ${MAX_QUANTITY} notes at once`);
  const notes = Array.from({ length: quantity }, () => ({ preimage: ctx.entropy.bytes(32), value: sats(amount) }));
  const createdAt = ctx.nowSeconds();
  const rows = notes.map((note) => {
    const { outpoint, value, script } = noteVtxo(ctx.secp, note);
    return {
      ...outpoint,
      amount: value,
      script: toHex(script),
      origin: 'note' as const,
      commitmentTxids: [],
      depth: 0,
      createdAt,
      expiresAt: 0,
      swept: false,
    };
  });
  await ctx.db.write((tx) => insertVtxos(tx, rows, ctx.clock.now()));
  const { noteUriPrefix } = ctx.settings();
  const scheme = noteUriPrefix === '' ? '' : `${noteUriPrefix}://`;
  return notes.map((note) => scheme + printNote(note));
}
