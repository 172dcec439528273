/** Broadcasting through Esplora: transactions in hex, answers and refusals in the words of bitcoind's RPC. */
import { ProtocolError } from '../../base/errors.ts';
import { formatBtc } from '../../base/units.ts';
import { parseTx, type Tx, txidOf, wtxidOf } from '../../bitcoin/tx.ts';
import type { BroadcastErrorCode, Chain } from '../chain.ts';
import type { Explorer } from '../explorer.ts';
import { BROADCAST_ERROR, RPC_ERROR } from '../rpc-error.ts';

const isBroadcastError = (error: unknown): error is ProtocolError<BroadcastErrorCode> =>
  error instanceof ProtocolError && error.code in BROADCAST_ERROR;

const rpcError = (call: string, { code, message }: ProtocolError<BroadcastErrorCode>): string =>
  `${call} RPC error: ${JSON.stringify({ code: RPC_ERROR[BROADCAST_ERROR[code]], message })}`;

const undecodable = (): ProtocolError<BroadcastErrorCode> => new ProtocolError('TX_DECODE_FAILED', 'TX decode failed');

function decode(hex: unknown): Tx {
  if (typeof hex !== 'string') throw undecodable();
  try {
    return parseTx(hex);
  } catch {
    throw undecodable();
  }
}

function decodePair(body: string): readonly [Tx, Tx] {
  let list: unknown;
  try {
    list = JSON.parse(body);
  } catch {
    throw undecodable();
  }
  if (!Array.isArray(list) || list.length !== 2) {
    throw new ProtocolError('TX_REJECTED', 'a package is a parent and its child', {
      reason: 'package-not-child-with-parents',
    });
  }
  return [decode(list[0]), decode(list[1])];
}

export interface Broadcaster {
  /** The txid, or what is wrong. */
  one(hex: string): Promise<{ readonly isAccepted: boolean; readonly text: string }>;
  /** The result of bitcoind's `submitpackage`. */
  pair(body: string): Promise<{ readonly isAccepted: boolean; readonly result: object }>;
}

export function createBroadcaster(
  explorer: Explorer,
  chain: Pick<Chain, 'broadcast' | 'broadcastPackage'>,
): Broadcaster {
  async function resultOf(tx: Tx, refusal: ProtocolError | undefined) {
    const txid = txidOf(tx);
    const entry = await explorer.mempoolTx(txid);
    if (entry) return { txid, vsize: entry.vsize, fees: { base: Number(formatBtc(entry.fee)) } };
    return refusal ? { txid, error: refusal.data[txid] ?? refusal.data.reason ?? 'package-not-validated' } : { txid };
  }

  async function packageResult(txs: readonly Tx[], refusal?: ProtocolError) {
    const results = await Promise.all(txs.map(async (tx) => [wtxidOf(tx), await resultOf(tx, refusal)]));
    return {
      package_msg: refusal ? 'transaction failed' : 'success',
      'tx-results': Object.fromEntries(results),
      'replaced-transactions': [],
    };
  }

  return {
    async one(hex) {
      try {
        return { isAccepted: true, text: await chain.broadcast(decode(hex)) };
      } catch (error) {
        if (!isBroadcastError(error)) throw error;
        return { isAccepted: false, text: rpcError('sendrawtransaction', error) };
      }
    },
    async pair(body) {
      let txs: readonly [Tx, Tx] | undefined;
      try {
        txs = decodePair(body);
        await chain.broadcastPackage(...txs);
        return { isAccepted: true, result: await packageResult(txs) };
      } catch (error) {
        if (!isBroadcastError(error)) throw error;
        const failed = txs ? await packageResult(txs, error) : {};
        return { isAccepted: false, result: { ...failed, error: rpcError('submitpackage', error) } };
      }
    },
  };
}
