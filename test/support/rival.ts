/** Chains beside the world's own: for reorganizations, and for blocks that leave the mempool alone. */
import { createRegtestChain, type RegtestChain } from '../../src/chain/regtest/chain.ts';
import { secp, type World } from './world.ts';

/** Another chain with the same blocks up to `height`. */
export async function rivalOf({ chain, clock }: World, height: number): Promise<RegtestChain> {
  const rival = createRegtestChain({ secp, now: () => Math.floor(clock.now() / 1000), initialBlocks: 0 });
  for (let at = 1; at <= height; at++) {
    const hash = await chain.explorer.blockHash(at);
    await rival.submitBlock((await chain.explorer.rawBlock(hash!))!);
  }
  return rival;
}

/** Hands all blocks of `rival` above `height` to the world's chain. */
export async function takeOver({ chain, rest }: World, rival: RegtestChain, height: number): Promise<void> {
  const { height: top } = await rival.tip();
  for (let at = height + 1; at <= top; at++) {
    const hash = await rival.explorer.blockHash(at);
    await chain.submitBlock((await rival.explorer.rawBlock(hash!))!);
  }
  await rest();
}

/** Mines blocks that take nothing of what waits, as if it paid too little. */
export async function mineEmpty({ chain, clock, rest }: World, count: number): Promise<void> {
  const rival = createRegtestChain({ secp, now: () => Math.floor(clock.now() / 1000), initialBlocks: 0 });
  await rival.restore({ ...(await chain.snapshot()), waiting: [] });
  for (const hash of await rival.mine(count)) {
    await chain.submitBlock((await rival.explorer.rawBlock(hash))!);
    await rest();
  }
}
