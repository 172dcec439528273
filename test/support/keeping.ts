/** Users of a world who keep their exit data, and can leave with it. */
import assert from 'node:assert/strict';
import type { ChainSource } from '../../src/ark/client/chain-source.ts';
import type { ExitState } from '../../src/ark/client/exit.ts';
import { createExitStore, type ExitStore } from '../../src/ark/client/exit-store.ts';
import { createFeeWallet, type FeeWallet } from '../../src/ark/client/fee-wallet.ts';
import { createKeeper, type Keeper } from '../../src/ark/client/keeper.ts';
import type { Outpoint } from '../../src/base/bytes.ts';
import { createMemoryRecords, type Records } from '../../src/base/records.ts';
import { sats } from '../../src/base/units.ts';
import { p2tr } from '../../src/bitcoin/script.ts';
import { explorerOf } from './explorer.ts';
import { secp, type User, type World } from './world.ts';

export interface Keeping {
  readonly user: User;
  readonly keeper: Keeper;
  readonly store: ExitStore;
  readonly records: Records;
  readonly fees: FeeWallet;
  /** Where claims go. */
  readonly to: Uint8Array;
}

export function keeping(
  w: World,
  user: User,
  records: Records = createMemoryRecords(),
  chain: ChainSource = explorerOf(w),
): Keeping {
  const { client, account } = user;
  const store = createExitStore(records);
  return {
    user,
    store,
    records,
    keeper: createKeeper({ client, account, chain, store }),
    fees: createFeeWallet(secp, chain, account.secret, client.random),
    to: p2tr(account.publicKey),
  };
}

/** Gives the user coins on chain to pay fees with. */
export async function fund({ chain, mine }: World, { fees }: Keeping, ...amounts: readonly number[]): Promise<void> {
  for (const amount of amounts) await chain.faucet(fees.script, sats(amount));
  await mine(1);
}

const MOST_BLOCKS = 120;

/** Takes one step of an exit a block until there is none left; `each` sees every state. */
export async function leave(
  w: World,
  { keeper, fees, to }: Keeping,
  outpoint: Outpoint,
  each: (state: ExitState, block: number) => Promise<void> = async () => {},
): Promise<ExitState> {
  for (let block = 0; block < MOST_BLOCKS; block++) {
    const state = await keeper.exit(outpoint, { fees, to });
    if (state.at === 'claimed' || state.at === 'lost') return state;
    await each(state, block);
    await w.mine(1);
  }
  return assert.fail('the exit does not end');
}
