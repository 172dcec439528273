/** Calls that change the chain: blocks mined, handed in, taken off and brought back, and the clock they go by. */
import { type Bytes, fromHex, isTxid, toHex } from '../../../base/bytes.ts';
import { ProtocolError } from '../../../base/errors.ts';
import { type BlockHash, blockHash, parseHeader, serializeBlock } from '../../../bitcoin/block.ts';
import type { Tx } from '../../../bitcoin/tx.ts';
import { mineBlock } from '../miner.ts';
import { TxRejection } from '../rejection.ts';
import { addressScript } from './address-script.ts';
import type { Arguments } from './arguments.ts';
import type { BlockIndex, IndexedBlock } from './block-index.ts';
import { parseDescriptor } from './descriptor.ts';
import { demand, RpcError } from './error.ts';
import { btcJson, type Json } from './json.ts';
import { type Method, method, type RpcContext } from './method.ts';
import { decodeTx } from './package-calls.ts';

/** Bytes of a serialized header. */
const HEADER_SIZE = 80;
const MAX_CONF_TARGET = 1008;

export function miningCalls({ chain, node, secp }: RpcContext, index: BlockIndex): readonly Method[] {
  /** Of a key's combination the third, which is its witness script, or of an uncompressed key's the hash of it. */
  function descriptorScript(text: string): Bytes {
    const scripts = parseDescriptor(secp, text);
    return (scripts[2] ?? scripts[1] ?? scripts[0]!).script;
  }

  /** An address or a descriptor. */
  const outputScript = (text: string): Bytes =>
    text.includes('(') ? descriptorScript(text) : addressScript(text, 'Error: Invalid address or descriptor');

  /** A transaction in hex, or the id of one that waits. */
  function memberOf(value: Json): Tx {
    demand(typeof value === 'string', 'type', 'transactions must be strings');
    if (!isTxid(value)) return decodeTx(value, `Transaction decode failed for ${value.slice(0, 100)}.`);
    const waiting = node.pool.get(value);
    demand(waiting, 'notFound', `Transaction ${value} not in mempool.`);
    return waiting.tx;
  }

  /** A block of just these transactions. It leaves their fees to nobody, as bitcoind does. */
  function generateBlock(script: Bytes, txs: readonly Tx[], isSubmitted: boolean) {
    const { tip } = node.ledger;
    const time = Math.max(node.now(), tip.medianTime + 1);
    const block = mineBlock({ previous: tip, txs, fees: 0n, script, time, extra: node.changes });
    const hash = blockHash(block.header);
    if (!isSubmitted) return { hash, hex: toHex(serializeBlock(block)) };
    try {
      node.connect(block);
    } catch (error) {
      if (!(error instanceof TxRejection)) throw error;
      throw new RpcError('verify', `TestBlockValidity failed: ${error.message}`);
    }
    return { hash };
  }

  function blockBytes(hex: string): { readonly raw: Bytes; readonly hash: BlockHash } {
    try {
      const raw = fromHex(hex);
      return { raw, hash: blockHash(parseHeader(raw.subarray(0, HEADER_SIZE))) };
    } catch {
      throw new RpcError('decode', 'Block decode failed');
    }
  }

  async function submit(hex: string): Promise<string | null> {
    const { raw, hash } = blockBytes(hex);
    if (index.isInvalid(hash)) return 'duplicate-invalid';
    try {
      return (await chain.submitBlock(raw)) === 'kept' ? 'inconclusive' : null;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      demand(error.code === 'BLOCK_REJECTED', 'decode', 'Block decode failed');
      return error.data.reason ?? 'rejected';
    }
  }

  function knownBlock(args: Arguments): IndexedBlock {
    const block = index.find(args.hash('blockhash'));
    demand(block, 'notFound', 'Block not found');
    return block;
  }

  return [
    method('submitblock hexdata [dummy]', 'Hands in a block; null, or why it does not become the tip.', (args) =>
      submit(args.string('hexdata')),
    ),
    method('generatetoaddress nblocks address [maxtries]', 'Mines blocks that pay to an address.', (args) =>
      chain.mine(args.int('nblocks'), addressScript(args.string('address'), 'Error: Invalid address')),
    ),
    method('generatetodescriptor num_blocks descriptor [maxtries]', 'Mines blocks that pay to a descriptor.', (args) =>
      chain.mine(args.int('num_blocks'), descriptorScript(args.string('descriptor'))),
    ),
    method('generateblock output transactions [submit]', 'Mines a block of just these transactions.', (args) => {
      const script = outputScript(args.string('output'));
      return generateBlock(script, args.array('transactions').map(memberOf), args.bool('submit', true));
    }),
    method('invalidateblock blockhash', 'Takes a block off the active chain, and all above it.', (args) => {
      const block = knownBlock(args);
      demand(block.height > 0, 'misc', 'the first block stays');
      if (index.isActive(block)) index.invalidate(block);
      return null;
    }),
    method('reconsiderblock blockhash', 'Brings back what invalidateblock took off.', (args) => {
      index.reconsider(knownBlock(args).hash);
      return null;
    }),
    method('setmocktime timestamp', 'Sets the clock, which then goes on from there; 0 sets it right.', async (args) => {
      const timestamp = args.int('timestamp');
      demand(timestamp >= 0, 'invalidParameter', `Mocktime must not be negative: ${timestamp}`);
      await chain.shiftClock(timestamp === 0 ? 0 : timestamp - node.clock);
      return null;
    }),
    method(
      'estimatesmartfee conf_target [estimate_mode]',
      'A fee rate, in bitcoin per 1,000 virtual bytes, to confirm within so many blocks.',
      async (args) => {
        const blocks = args.int('conf_target');
        demand(
          blocks >= 1 && blocks <= MAX_CONF_TARGET,
          'invalidParameter',
          `Invalid conf_target, must be between 1 and ${MAX_CONF_TARGET}`,
        );
        const rate = await chain.feeRate(blocks);
        return { feerate: btcJson(BigInt(Math.ceil(rate * 1000))), blocks };
      },
    ),
  ];
}
