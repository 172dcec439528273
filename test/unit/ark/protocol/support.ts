/** Keys, scripts and refusals that the tests of Ark's protocol share. Private keys are the integers 1, 2, 3 … */
import assert from 'node:assert/strict';
import { type Bytes, type Outpoint, parseTxid, toHex } from '../../../../src/base/bytes.ts';
import { ProtocolError } from '../../../../src/base/errors.ts';
import { csvMultisig, encodeClosure } from '../../../../src/bitcoin/closure.ts';
import { relativeTimelock } from '../../../../src/bitcoin/timelock.ts';
import { loadSecp } from '../../../../src/runtime/secp-wasm.ts';

export const secp = await loadSecp();

export interface Key {
  readonly secret: Bytes;
  readonly compressed: Bytes;
  readonly xonly: Bytes;
}

export function key(scalar: number): Key {
  const secret = new Uint8Array(32);
  new DataView(secret.buffer).setUint32(28, scalar);
  const compressed = secp.publicKey(secret);
  return { secret, compressed, xonly: compressed.slice(1) };
}

export const owner = key(1);
export const signer = key(2);
export const forfeit = key(3);
export const delegate = key(4);
export const receiver = key(5);
export const stranger = key(99);

export const AUX = new Uint8Array(32);
export const exitDelay = relativeTimelock(20);
export const checkpointTapscript = encodeClosure(csvMultisig(relativeTimelock(20), forfeit.xonly));
export const outpoint = (byte: number, vout = 0): Outpoint => ({
  txid: parseTxid(toHex(new Uint8Array(32).fill(byte))),
  vout,
});

/** The code that `work` is refused with; anything but a refusal fails the test. */
export function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return assert.fail('it was not refused');
}

/** Runs `work` over foreign input: it may refuse, and may do nothing else that throws. */
export function refusesOrAccepts(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
}

/** The same bytes with one bit turned. */
export function flip(bytes: Bytes, at = 0): Bytes {
  const copy = Uint8Array.from(bytes);
  copy[at]! ^= 1;
  return copy;
}
