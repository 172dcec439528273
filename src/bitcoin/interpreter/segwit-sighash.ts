import { type Bytes, concat } from '../../base/bytes.ts';
import { sha256, sha256d } from '../../crypto/hash.ts';
import { blob, i32le, u32le, u64le } from '../reader.ts';
import { SIGHASH } from '../sighash.ts';
import { outpointBytes, type Tx } from '../tx.ts';
import { outputHash, txHashes } from '../tx-hashes.ts';

const NO_HASH = new Uint8Array(32);

/**
 * BIP143 message for input `index`, whose output holds `amount` satoshi. `scriptCode` is the script being run, from
 * its last OP_CODESEPARATOR on; `type` is the signature's last byte, any value.
 */
export function segwitSighash(tx: Tx, index: number, scriptCode: Bytes, amount: bigint, type: number): Bytes {
  const hashes = txHashes(tx);
  const anyoneCanPay = (type & SIGHASH.ANYONECANPAY) !== 0;
  const outputType = type & 0x1f;
  const isAll = outputType !== SIGHASH.NONE && outputType !== SIGHASH.SINGLE;
  const input = tx.inputs[index]!;
  const output = outputType === SIGHASH.SINGLE ? tx.outputs[index] : undefined;
  return sha256d(
    concat(
      i32le(tx.version),
      anyoneCanPay ? NO_HASH : sha256(hashes.prevouts),
      anyoneCanPay || !isAll ? NO_HASH : sha256(hashes.sequences),
      outpointBytes(input.prevout),
      blob(scriptCode),
      u64le(amount),
      u32le(input.sequence),
      isAll ? sha256(hashes.outputs) : output ? sha256(outputHash(output)) : NO_HASH,
      u32le(tx.locktime),
      u32le(type),
    ),
  );
}
