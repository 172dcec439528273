/** Calls about blocks and what is unspent. */
import { compare, type Outpoint, toHex } from '../../../base/bytes.ts';
import { sumSats } from '../../../base/units.ts';
import { serializeBlock, serializeHeader } from '../../../bitcoin/block.ts';
import { txidBytes } from '../../../bitcoin/tx.ts';
import { scriptHashOf } from '../../script-hash.ts';
import type { Coin } from '../coin.ts';
import type { Arguments } from './arguments.ts';
import type { BlockIndex, IndexedBlock } from './block-index.ts';
import { blockJson, DIFFICULTY, headerJson, targetJson, workJson } from './block-json.ts';
import { blockStats } from './block-stats.ts';
import { parseDescriptor } from './descriptor.ts';
import { demand } from './error.ts';
import { btcJson, isJsonObject, type Json } from './json.ts';
import { type Method, method, type RpcContext } from './method.ts';
import { scriptPubKeyJson } from './script-json.ts';
import type { Detail } from './tx-json.ts';

const DETAILS: readonly (Detail | undefined)[] = [undefined, 'fee', 'prevouts'];

/** bitcoind's order: by the bytes of the txid as they are serialized. */
const compareOutpoints = (a: Outpoint, b: Outpoint): number =>
  compare(txidBytes(a.txid), txidBytes(b.txid)) || a.vout - b.vout;

export function chainCalls({ node, secp }: RpcContext, index: BlockIndex): readonly Method[] {
  const { ledger, pool } = node;

  function blockAt(height: number): IndexedBlock {
    const block = height >= 0 ? ledger.at(height) : undefined;
    demand(block, 'invalidParameter', 'Block height out of range');
    return block;
  }

  function blockOf(hash: string): IndexedBlock {
    const block = index.find(hash);
    demand(block, 'notFound', 'Block not found');
    return block;
  }

  function statsBlock(args: Arguments): IndexedBlock {
    const name = 'hash_or_height';
    if (typeof args.raw(name) === 'string') return blockOf(args.hash(name));
    const height = args.int(name);
    demand(height >= 0, 'invalidParameter', `Target block height ${height} is negative`);
    demand(
      height <= ledger.height,
      'invalidParameter',
      `Target block height ${height} after current tip ${ledger.height}`,
    );
    return blockAt(height);
  }

  function unspentJson(coin: Coin, descriptor: string, at: { readonly txid: string; readonly vout: number }) {
    const { height } = coin;
    return {
      txid: at.txid,
      vout: at.vout,
      scriptPubKey: toHex(coin.script),
      desc: descriptor,
      amount: btcJson(coin.value),
      coinbase: coin.isCoinbase,
      height,
      blockhash: ledger.at(height)!.hash,
      confirmations: ledger.height - height + 1,
    };
  }

  function descriptorText(object: Json): string {
    const text = isJsonObject(object) ? (object.desc ?? null) : object;
    demand(typeof text === 'string', 'invalidParameter', 'Scan object needs to be either a string or an object');
    return text;
  }

  function scan(objects: readonly Json[]) {
    const described = objects.flatMap((object) => parseDescriptor(secp, descriptorText(object)));
    const byScript = new Map(described.map((one) => [scriptHashOf(one.script), one.descriptor]));
    const found = [...byScript].flatMap(([script, descriptor]) =>
      [...(ledger.script(script)?.unspent.values() ?? [])].map((outpoint) => ({ outpoint, descriptor })),
    );
    found.sort((a, b) => compareOutpoints(a.outpoint, b.outpoint));
    return {
      success: true,
      txouts: ledger.coinCount,
      height: ledger.height,
      bestblock: ledger.tip.hash,
      unspents: found.map(({ outpoint, descriptor }) => unspentJson(ledger.coin(outpoint)!, descriptor, outpoint)),
      total_amount: btcJson(sumSats(found.map(({ outpoint }) => ledger.coin(outpoint)!.value))),
    };
  }

  return [
    method('getbestblockhash', 'The hash of the tip.', () => ledger.tip.hash),
    method('getblockcount', 'The height of the tip.', () => ledger.height),
    method('getdifficulty', 'The difficulty, which never changes here.', () => DIFFICULTY),
    method('getblockhash height', 'The hash of the block at a height.', (args) => blockAt(args.int('height')).hash),
    method('getblockheader blockhash [verbose]', 'A header, as hex or in parts.', (args) => {
      const isVerbose = args.bool('verbose', true);
      const block = blockOf(args.hash('blockhash'));
      return isVerbose ? headerJson(index, ledger, block) : toHex(serializeHeader(block.block.header));
    }),
    method(
      'getblock blockhash [verbosity|verbose]',
      'A block: 0 as hex, 1 with txids, 2 with transactions, 3 with what they spend too.',
      (args) => {
        const hash = args.hash('blockhash');
        const verbosity = args.verbosity('verbosity', 1);
        const block = blockOf(hash);
        if (verbosity <= 0) return toHex(serializeBlock(block.block));
        return blockJson(secp, index, ledger, block, DETAILS[Math.min(verbosity, 3) - 1]);
      },
    ),
    method('getblockchaininfo', 'The state of the chain.', () => {
      const { hash, block, medianTime, height } = ledger.tip;
      return {
        chain: 'regtest',
        blocks: height,
        headers: height,
        bestblockhash: hash,
        ...targetJson(block.header.bits),
        difficulty: DIFFICULTY,
        time: block.header.time,
        mediantime: medianTime,
        verificationprogress: 1,
        initialblockdownload: false,
        chainwork: workJson(index.work(ledger.tip)),
        size_on_disk: 0,
        pruned: false,
        warnings: [],
      };
    }),
    method('getchaintips', 'The ends of the active chain and of every other branch.', () =>
      index.tips().map(({ branchLength, status, ...tip }) => ({ ...tip, branchlen: branchLength, status })),
    ),
    method('getblockstats hash_or_height [stats]', 'Sums and quantiles over a block of the active chain.', (args) => {
      const block = statsBlock(args);
      demand(block.spent, 'notFound', 'Block is not on the active chain');
      return blockStats(block, block.spent, args.has('stats') ? args.array('stats') : []);
    }),
    method('gettxout txid n [include_mempool]', 'An unspent output, or null.', (args) => {
      const outpoint = { txid: args.hash('txid'), vout: args.int('n') };
      const isMempoolIncluded = args.bool('include_mempool', true);
      if (isMempoolIncluded && pool.spender(outpoint)) return null;
      const waiting = isMempoolIncluded ? pool.get(outpoint.txid)?.tx.outputs[outpoint.vout] : undefined;
      const coin = waiting ? undefined : ledger.coin(outpoint);
      const output = waiting ?? coin;
      return (
        output && {
          bestblock: ledger.tip.hash,
          confirmations: coin ? ledger.height - coin.height + 1 : 0,
          value: btcJson(output.value),
          scriptPubKey: scriptPubKeyJson(secp, output.script),
          coinbase: coin?.isCoinbase ?? false,
        }
      );
    }),
    method('scantxoutset action [scanobjects]', 'Unspent outputs of descriptors; the action is "start".', (args) => {
      const action = args.string('action');
      if (action === 'status') return null;
      if (action === 'abort') return false;
      demand(action === 'start', 'invalidParameter', `Invalid action '${action.slice(0, 40)}'`);
      demand(args.has('scanobjects'), 'misc', 'scanobjects argument is required for the start action');
      return scan(args.array('scanobjects'));
    }),
  ];
}
