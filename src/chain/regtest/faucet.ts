/** The chain's own wallet: one well-known key that the blocks pay to and that gives coins away. */
import { type Bytes, utf8 } from '../../base/bytes.ts';
import { invariant, ProtocolError } from '../../base/errors.ts';
import { type Sats, sumSats } from '../../base/units.ts';
import { p2tr } from '../../bitcoin/script.ts';
import { taprootSighash } from '../../bitcoin/sighash.ts';
import { tapTweak } from '../../bitcoin/taproot.ts';
import { type Tx, type TxOut, txIn, vsizeOf } from '../../bitcoin/tx.ts';
import { sha256 } from '../../crypto/hash.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { ChainUtxo } from '../chain.ts';

/** Regtest coins are worth nothing, so the key may be known, and a restart needs nothing but this line. */
const SECRET = sha256(utf8('the faucet of the embedded chain'));
/** Satoshi per virtual byte. */
const FEE_RATE = 2n;
/** Change above this is split, so that many payments can be made between two blocks. */
const LARGE_CHANGE = 400_000_000n;
const CHANGE_PARTS = 4n;
const MAX_INPUTS = 200;
const EMPTY_SIGNATURE = new Uint8Array(64);

export interface Faucet {
  readonly script: Bytes;
  /** A signed payment from `coins`. Throws `ProtocolError` FAUCET_EMPTY when they do not suffice. */
  pay(coins: readonly ChainUtxo[], outputs: readonly TxOut[]): Tx;
  /** A signed transaction that turns one coin into `count` equal ones. */
  split(coin: ChainUtxo, count: number): Tx;
}

const total = (outputs: readonly TxOut[]): bigint => sumSats(outputs.map(({ value }) => value));

const draft = (inputs: readonly ChainUtxo[], outputs: readonly TxOut[]): Tx => ({
  version: 2,
  inputs: inputs.map((coin) => ({ ...txIn(coin.outpoint), witness: [EMPTY_SIGNATURE] })),
  outputs,
  locktime: 0,
});

const feeFor = (tx: Tx): bigint => BigInt(vsizeOf(tx)) * FEE_RATE;

/** One coin that suffices, the smallest; else many, the largest first. Confirmed ones before all others. */
function* selections(coins: readonly ChainUtxo[]): Generator<readonly ChainUtxo[]> {
  const byValue = [...coins].sort((a, b) => Number(a.value - b.value));
  for (const isConfirmed of [true, false]) {
    for (const coin of byValue) if ((coin.confirmation !== undefined) === isConfirmed) yield [coin];
  }
  const largest = byValue.reverse();
  for (let count = 2; count <= Math.min(largest.length, MAX_INPUTS); count++) yield largest.slice(0, count);
}

export function createFaucet(secp: Secp): Faucet {
  const internal = secp.publicKey(SECRET).slice(1);
  const tweak = tapTweak(internal);
  const output = secp.tweakXonly(internal, tweak);
  invariant(output, 'the faucet has a key');
  const key = secp.tweakSecret(SECRET, tweak);
  const script = p2tr(output.xonly);

  function sign(inputs: readonly ChainUtxo[], outputs: readonly TxOut[]): Tx {
    const tx = draft(inputs, outputs);
    const witnesses = tx.inputs.map((_, i) => {
      const message = taprootSighash(tx, i, inputs);
      invariant(message, 'the default sighash always exists');
      return [secp.schnorrSign(message, key, new Uint8Array(32))];
    });
    return { ...tx, inputs: tx.inputs.map((input, i) => ({ ...input, witness: witnesses[i]! })) };
  }

  function changeOf(rest: bigint): readonly TxOut[] {
    if (rest <= LARGE_CHANGE) return [{ value: rest, script }];
    const part = rest / CHANGE_PARTS;
    const parts = Array.from({ length: Number(CHANGE_PARTS) - 1 }, () => ({ value: part, script }));
    return [{ value: rest - part * (CHANGE_PARTS - 1n), script }, ...parts];
  }

  return {
    script,
    pay(coins, outputs) {
      const wanted = total(outputs);
      for (const inputs of selections(coins)) {
        const rest = total(inputs) - wanted;
        if (rest < 0n) continue;
        const fee = feeFor(draft(inputs, [...outputs, ...changeOf(rest)]));
        // What is left of less than this is not worth an output of its own.
        if (rest >= fee + 1_000n) return sign(inputs, [...outputs, ...changeOf(rest - fee)]);
      }
      throw new ProtocolError('FAUCET_EMPTY', `the faucet cannot pay ${wanted} sats`);
    },
    split(coin, count) {
      const equal = (value: Sats | bigint): readonly TxOut[] =>
        Array.from({ length: count }, () => ({ value, script }));
      const fee = feeFor(draft([coin], equal(0n)));
      return sign([coin], equal((coin.value - fee) / BigInt(count)));
    },
  };
}
