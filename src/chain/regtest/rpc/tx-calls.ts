/** Calls that show transactions. */
import type { Txid } from '../../../base/bytes.ts';
import { txHex, txidOf } from '../../../bitcoin/tx.ts';
import type { BlockIndex, IndexedBlock } from './block-index.ts';
import { demand } from './error.ts';
import { type Method, method, type RpcContext } from './method.ts';
import { decodeTx } from './package-calls.ts';
import { decodedTxJson, txJson } from './tx-json.ts';

export function txCalls({ node, secp }: RpcContext, index: BlockIndex): readonly Method[] {
  const { ledger, pool } = node;

  const confirmationJson = (block: IndexedBlock) => {
    const confirmations = index.confirmations(block);
    const { time } = block.block.header;
    // A block off the chain confirms nothing.
    const times = confirmations > 0 ? { time, blocktime: time } : {};
    return { blockhash: block.hash, confirmations: Math.max(0, confirmations), ...times };
  };

  function confirmedJson(txid: Txid, block: IndexedBlock, verbosity: number) {
    const at = block.block.txs.findIndex((tx) => txidOf(tx) === txid);
    const tx = block.block.txs[at]!;
    if (verbosity <= 0) return txHex(tx);
    const detail = verbosity > 1 ? 'prevouts' : 'plain';
    return { ...txJson(secp, tx, block.spent?.[at], detail), ...confirmationJson(block) };
  }

  return [
    method(
      'getrawtransaction txid [verbosity|verbose] [blockhash]',
      'A transaction: 0 as hex, 1 in parts, 2 with what it spends.',
      (args) => {
        const txid = args.hash('txid');
        const verbosity = args.verbosity('verbosity', 0);
        demand(
          txid !== txidOf(ledger.at(0)!.block.txs[0]!),
          'notFound',
          'The genesis block coinbase is not considered an ordinary transaction and cannot be retrieved',
        );
        if (args.has('blockhash')) {
          const block = index.find(args.hash('blockhash'));
          demand(block, 'notFound', 'Block hash not found');
          const isThere = block.block.txs.some((tx) => txidOf(tx) === txid);
          demand(
            isThere,
            'notFound',
            'No such transaction found in the provided block. Use gettransaction for wallet transactions.',
          );
          const found = confirmedJson(txid, block, verbosity);
          return typeof found === 'string' ? found : { in_active_chain: index.isActive(block), ...found };
        }
        const waiting = pool.get(txid);
        if (waiting) return verbosity <= 0 ? txHex(waiting.tx) : txJson(secp, waiting.tx);
        const location = ledger.location(txid);
        demand(
          location,
          'notFound',
          'No such mempool or blockchain transaction. Use gettransaction for wallet transactions.',
        );
        return confirmedJson(txid, location.block, verbosity);
      },
    ),
    method('decoderawtransaction hexstring [iswitness]', 'A transaction in hex, in parts.', (args) =>
      decodedTxJson(secp, decodeTx(args.string('hexstring'), 'TX decode failed')),
    ),
  ];
}
