/** Coins on chain that pay for an exit: the BIP86 outputs of one key. */
import type { Bytes } from '../../base/bytes.ts';
import type { FeeCoin } from '../../bitcoin/package.ts';
import { p2tr } from '../../bitcoin/script.ts';
import { taprootSighash } from '../../bitcoin/sighash.ts';
import { outputKey, tapTweak } from '../../bitcoin/taproot.ts';
import type { Tx, TxOut } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { ChainSource } from './chain-source.ts';

export interface FeeWallet {
  /** Where coins come to, and what is left of them returns to. */
  readonly script: Bytes;
  /** Confirmed ones, smallest first: the large ones are kept for what they alone can pay. */
  coins(): Promise<readonly FeeCoin[]>;
  /** Witness of input `index`, a coin of this wallet. */
  sign(tx: Tx, index: number, prevouts: readonly TxOut[]): readonly Bytes[];
}

export function createFeeWallet(
  secp: Secp,
  chain: Pick<ChainSource, 'unspent'>,
  secret: Bytes,
  random: (length: number) => Bytes,
): FeeWallet {
  const internal = secp.publicKey(secret).slice(1);
  const script = p2tr(outputKey(secp, internal).xonly);
  return {
    script,
    async coins() {
      const confirmed = (await chain.unspent(script)).filter(({ confirmation }) => confirmation);
      return confirmed.sort((a, b) => (a.output.value < b.output.value ? -1 : 1));
    },
    sign(tx, index, prevouts) {
      const message = taprootSighash(tx, index, prevouts);
      if (!message) throw new RangeError(`no sighash for input ${index}`);
      return [secp.schnorrSign(message, secp.tweakSecret(secret, tapTweak(internal)), random(32))];
    },
  };
}
