/** Calls that bring transactions to the mempool, or ask whether it would take them. */
import { parseTx, type Tx, type TxOut, txidOf } from '../../../bitcoin/tx.ts';
import { isUnspendable } from '../coin.ts';
import type { SatsPerKvb } from '../fee-rate.ts';
import type { Arguments } from './arguments.ts';
import { demand, RpcError } from './error.ts';
import type { Json } from './json.ts';
import { type Method, method, type RpcContext } from './method.ts';
import { isTooDear } from './package-fee.ts';
import { isChildWithParents } from './package-shape.ts';
import { submitPackage } from './submission.ts';
import { tryPackage } from './trial.ts';

const MAX_PACKAGE_COUNT = 25;
/** 0.10 BTC per 1,000 virtual bytes. */
const DEFAULT_MAX_RATE = 10_000_000n;
const MAX_RATE = 100_000_000n;

/** A transaction in hex. Throws `RpcError`. */
export function decodeTx(hex: Json, complaint = 'TX decode failed. Make sure the tx has at least one input.'): Tx {
  try {
    if (typeof hex === 'string') return parseTx(hex);
  } catch {
    // Told below, as what is no text at all.
  }
  throw new RpcError('decode', complaint);
}

/** 0 for no limit. */
function maxRateOf(args: Arguments): SatsPerKvb {
  const rate = args.amount('maxfeerate', DEFAULT_MAX_RATE);
  demand(rate < MAX_RATE, 'invalidParameter', 'Fee rates larger than or equal to 1BTC/kvB are not accepted');
  return rate as SatsPerKvb;
}

function checkBurns(args: Arguments, txs: readonly Tx[]): void {
  const most = args.amount('maxburnamount', 0n);
  const isBurnt = (output: TxOut): boolean => isUnspendable(output) && output.value > most;
  demand(
    !txs.some((tx) => tx.outputs.some(isBurnt)),
    'verify',
    `Unspendable output exceeds maximum configured by user (maxburnamount)`,
  );
}

function packageOf(args: Arguments, name: string): readonly Tx[] {
  const hexes = args.array(name);
  demand(
    hexes.length >= 1 && hexes.length <= MAX_PACKAGE_COUNT,
    'invalidParameter',
    `Array must contain between 1 and ${MAX_PACKAGE_COUNT} transactions.`,
  );
  return hexes.map((hex) =>
    decodeTx(hex, `TX decode failed: ${String(hex).slice(0, 100)} Make sure the tx has at least one input.`),
  );
}

export function packageCalls({ chain, node }: RpcContext): readonly Method[] {
  function checkFee(tx: Tx, maxRate: SatsPerKvb): void {
    if (maxRate === 0n || node.pool.has(txidOf(tx))) return;
    const { fee } = node.tryOne(tx).entries[0]!;
    demand(
      !isTooDear(maxRate, tx, fee),
      'verify',
      'Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)',
    );
  }

  return [
    method('sendrawtransaction hexstring [maxfeerate] [maxburnamount]', 'Broadcasts a transaction.', async (args) => {
      const tx = decodeTx(args.string('hexstring'));
      checkBurns(args, [tx]);
      const maxRate = maxRateOf(args);
      const isConfirmed = tx.outputs.some((_, vout) => node.ledger.coin({ txid: txidOf(tx), vout }));
      demand(!isConfirmed, 'alreadyInChain', 'Transaction outputs already in utxo set');
      checkFee(tx, maxRate);
      return chain.broadcast(tx);
    }),
    method('testmempoolaccept rawtxs [maxfeerate]', 'Would the mempool take these, in this order?', (args) => {
      const txs = packageOf(args, 'rawtxs');
      return tryPackage(node, txs, maxRateOf(args));
    }),
    method(
      'submitpackage package [maxfeerate] [maxburnamount]',
      'Broadcasts a child, which comes last, with its unconfirmed parents.',
      (args) => {
        const txs = packageOf(args, 'package');
        const maxRate = maxRateOf(args);
        demand(
          txs.length === 1 || isChildWithParents(txs),
          'verify',
          'package topology disallowed. not child-with-parents or parents depend on each other.',
        );
        checkBurns(args, txs);
        return submitPackage(node, txs, maxRate);
      },
    ),
  ];
}
