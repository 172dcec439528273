/** Messages of the batch event stream as a client reads them. */
import { type Bytes, fromHex, parseTxid, type Txid } from '../../base/bytes.ts';
import { type Psbt, parsePsbt } from '../../bitcoin/psbt.ts';
import { type RelativeTimelock, relativeTimelock } from '../../bitcoin/timelock.ts';
import { txidOf } from '../../bitcoin/tx.ts';
import { asFields, type Fields, requiredText, textMap, texts, whole } from '../wire/request.ts';
import { reading } from './errors.ts';

/** A transaction of one of the two trees, with what the server says hangs below it. */
export interface ReceivedNode {
  readonly txid: Txid;
  readonly psbt: Psbt;
  /** Output index → txid, as claimed. */
  readonly children: Readonly<Record<string, string>>;
}

export type BatchMessage = { readonly id: string } & (
  | { readonly type: 'batchStarted'; readonly intentIdHashes: readonly string[]; readonly expiry: RelativeTimelock }
  | { readonly type: 'treeTx'; readonly tree: 'vtxo' | 'connector'; readonly node: ReceivedNode }
  | { readonly type: 'treeSigningStarted'; readonly cosigners: readonly string[]; readonly commitment: Psbt }
  /** x-only key (hex) → public nonce. */
  | { readonly type: 'treeNonces'; readonly txid: Txid; readonly nonces: Readonly<Record<string, Bytes>> }
  | { readonly type: 'treeSignature'; readonly txid: Txid; readonly signature: Bytes }
  | { readonly type: 'batchFinalization'; readonly commitment: Psbt }
  | { readonly type: 'batchFinalized'; readonly commitmentTxid: Txid }
  | { readonly type: 'batchFailed'; readonly reason: string }
);

const mapValues = <A, B>(record: Readonly<Record<string, A>>, change: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));

function parseNode(fields: Fields): ReceivedNode {
  const psbt = parsePsbt(requiredText(fields, 'tx'));
  return { txid: txidOf(psbt.tx), psbt, children: textMap(fields, 'children') };
}

const PARSERS: Readonly<Record<string, (fields: Fields, id: string) => BatchMessage>> = {
  batchStarted: (fields, id) => ({
    type: 'batchStarted',
    id,
    intentIdHashes: texts(fields, 'intentIdHashes'),
    expiry: relativeTimelock(whole(fields.batchExpiry, 'batchExpiry')),
  }),
  treeTx: (fields, id) => ({
    type: 'treeTx',
    id,
    tree: whole(fields.batchIndex, 'batchIndex') === 0 ? 'vtxo' : 'connector',
    node: parseNode(fields),
  }),
  treeSigningStarted: (fields, id) => ({
    type: 'treeSigningStarted',
    id,
    cosigners: texts(fields, 'cosignersPubkeys'),
    commitment: parsePsbt(requiredText(fields, 'unsignedCommitmentTx')),
  }),
  treeNonces: (fields, id) => ({
    type: 'treeNonces',
    id,
    txid: parseTxid(requiredText(fields, 'txid')),
    nonces: mapValues(textMap(fields, 'nonces'), fromHex),
  }),
  treeSignature: (fields, id) => ({
    type: 'treeSignature',
    id,
    txid: parseTxid(requiredText(fields, 'txid')),
    signature: fromHex(requiredText(fields, 'signature')),
  }),
  batchFinalization: (fields, id) => ({
    type: 'batchFinalization',
    id,
    commitment: parsePsbt(requiredText(fields, 'commitmentTx')),
  }),
  batchFinalized: (fields, id) => ({
    type: 'batchFinalized',
    id,
    commitmentTxid: parseTxid(requiredText(fields, 'commitmentTxid')),
  }),
  batchFailed: (fields, id) => ({ type: 'batchFailed', id, reason: `${fields.reason ?? ''}` }),
};

/** `undefined` for a message that no batch needs, a heartbeat say. Throws `MALFORMED_ANSWER`. */
export function parseBatchMessage(message: Fields): BatchMessage | undefined {
  const [name = ''] = Object.keys(message);
  const parse = Object.hasOwn(PARSERS, name) ? PARSERS[name] : undefined;
  if (!parse) return undefined;
  return reading(() => {
    const fields = asFields(message[name], name);
    return parse(fields, requiredText(fields, 'id'));
  });
}
