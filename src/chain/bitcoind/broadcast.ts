/** Hands transactions to the node and puts its refusals into the chain port's words. */
import { ProtocolError } from '../../base/errors.ts';
import { type Tx, txHex, txidOf, wtxidOf } from '../../bitcoin/tx.ts';
import type { BroadcastErrorCode } from '../chain.ts';
import { TxRejection } from '../regtest/rejection.ts';
import { RPC_ERROR } from '../rpc-error.ts';
import type { RpcClient } from './client.ts';
import { RpcError } from './rpc-error.ts';

/** Any fee is the sender's business. */
const NO_FEE_LIMIT = 0;
/** So is burning coins: all there are. */
const NO_BURN_LIMIT = 21_000_000;

/** bitcoind prints a refusal as its reason, for scripts the error in brackets, and after a comma what it adds. */
function rejection(text: string): TxRejection {
  const [, reason = text, error, more] = /^(.*?)(?: \((.*?)\))?(?:, (.*))?$/s.exec(text) ?? [];
  return new TxRejection(reason, [error, more].filter((part) => part !== undefined).join(', '), false);
}

function refusalOf(error: RpcError): Error {
  switch (error.code) {
    case RPC_ERROR.decode:
      return new ProtocolError<BroadcastErrorCode>('TX_DECODE_FAILED', error.message);
    case RPC_ERROR.alreadyInChain:
      return new TxRejection('txn-already-known', '', false);
    case RPC_ERROR.verify:
    case RPC_ERROR.rejected:
      return error.message.startsWith('package topology disallowed')
        ? new TxRejection('package-not-child-with-parents', error.message, false)
        : rejection(error.message);
    default:
      return error;
  }
}

const throwRefusal = (error: unknown): never => {
  throw error instanceof RpcError ? refusalOf(error) : error;
};

/** Throws `ProtocolError<BroadcastErrorCode>`; what is in the mempool already succeeds. */
export async function sendOne(client: RpcClient, tx: Tx): Promise<void> {
  await client.call('sendrawtransaction', txHex(tx), NO_FEE_LIMIT, NO_BURN_LIMIT).catch(throwRefusal);
}

interface PackageResult {
  readonly package_msg: string;
  /** By wtxid. */
  readonly 'tx-results': Readonly<Record<string, { readonly error?: string }>>;
}

/** What bitcoind says of a transaction that it did not come to look at. */
const NOT_LOOKED_AT = 'package-not-validated';

/**
 * A parent and the child that pays for it. Throws `ProtocolError<BroadcastErrorCode>` for the first of the two that is
 * at fault; its data has the reason of each refused one under its txid.
 */
export async function sendPair(client: RpcClient, parent: Tx, child: Tx): Promise<void> {
  const txs = [parent, child];
  const answer = await client
    .call<PackageResult>('submitpackage', txs.map(txHex), NO_FEE_LIMIT, NO_BURN_LIMIT)
    .catch(throwRefusal);
  if (answer.package_msg === 'success') return;
  const refused = txs.flatMap((tx) => {
    const error = answer['tx-results'][wtxidOf(tx)]?.error;
    return error === undefined ? [] : [{ txid: txidOf(tx), error }];
  });
  const atFault = refused.find(({ error }) => error !== NOT_LOOKED_AT);
  const { code, message, data } = rejection(atFault?.error ?? answer.package_msg);
  const byTxid = Object.fromEntries(refused.map(({ txid, error }) => [txid, error]));
  throw new ProtocolError(code, message, { ...data, ...byTxid });
}
