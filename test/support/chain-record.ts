/** What happens on a scenario's chain, written down as it happens, and replayed into a real bitcoind. */
import assert from 'node:assert/strict';
import { type Bytes, toHex } from '../../src/base/bytes.ts';
import { parseHeader } from '../../src/bitcoin/block.ts';
import { type Tx, txHex } from '../../src/bitcoin/tx.ts';
import type { RegtestChain } from '../../src/chain/regtest/chain.ts';
import { type Bitcoind, NO_CAPS, RpcError } from './bitcoind.ts';

type Fact =
  /** Into the mempool: alone, or after a parent that could not enter alone. */
  | { readonly type: 'entered'; readonly tx: Tx }
  | { readonly type: 'connected'; readonly raw: Promise<Bytes | undefined> }
  | { readonly type: 'disconnected'; readonly hash: string };

export interface ChainRecord {
  readonly name: string;
  readonly chain: RegtestChain;
  readonly facts: readonly Fact[];
}

let records: ChainRecord[] | undefined;

/** From here on every world's chain is recorded, into the list returned. */
export function recordChains(): readonly ChainRecord[] {
  records ??= [];
  return records;
}

/** Called by every world with its new chain. */
export async function offerForRecord(name: string, chain: RegtestChain): Promise<void> {
  if (!records) return;
  const facts: Fact[] = [];
  const hashes: string[] = [];
  const connected = (hash: string): void => {
    hashes.push(hash);
    facts.push({ type: 'connected', raw: chain.explorer.rawBlock(hash) });
  };
  for (let height = 1; height <= (await chain.tip()).height; height++) {
    connected((await chain.explorer.blockHash(height))!);
  }
  chain.subscribe((event) => {
    if (event.type === 'mempool') facts.push({ type: 'entered', tx: event.tx.tx });
    else if (event.type === 'block') connected(event.tip.hash);
    else facts.push({ type: 'disconnected', hash: hashes.pop()! });
  });
  records.push({ name, chain, facts });
}

/** Reasons for which a child may come to a parent's help. */
const isTooPoor = (error: unknown): boolean =>
  error instanceof RpcError && /^(min relay fee not met|insufficient fee)/.test(error.message);

interface PackageResult {
  readonly package_msg: string;
}

/** Fails where bitcoind, which gets the same in the same order, refuses anything or ends up elsewhere. */
export async function replay({ chain, facts }: ChainRecord, node: Bitcoind): Promise<void> {
  let poor: Tx | undefined;
  async function enter(tx: Tx): Promise<void> {
    if (poor) {
      const pair = [txHex(poor), txHex(tx)];
      poor = undefined;
      const { package_msg, ...rest } = await node.rpc<PackageResult>('submitpackage', pair, ...NO_CAPS);
      assert.equal(package_msg, 'success', JSON.stringify(rest));
      return;
    }
    try {
      await node.rpc('sendrawtransaction', txHex(tx), ...NO_CAPS);
    } catch (error) {
      if (!isTooPoor(error)) throw error;
      poor = tx;
    }
  }
  for (const fact of facts) {
    switch (fact.type) {
      case 'entered':
        await enter(fact.tx);
        break;
      case 'connected': {
        const raw = (await fact.raw)!;
        await node.rpc('setmocktime', parseHeader(raw.subarray(0, 80)).time);
        assert.equal(await node.rpc('submitblock', toHex(raw)), null);
        break;
      }
      case 'disconnected':
        await node.rpc('invalidateblock', fact.hash);
    }
  }
  assert.equal(poor, undefined, 'a parent that pays too little came without its child');
  assert.equal(await node.rpc('getbestblockhash'), (await chain.tip()).hash);
  const ours = (await chain.explorer.mempool()).map(({ txid }) => txid);
  assert.deepEqual((await node.rpc<string[]>('getrawmempool')).sort(), ours.sort());
}
