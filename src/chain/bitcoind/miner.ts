/** Mining and giving coins away on a real regtest node, with the same well-known key that the embedded chain has. */
import { type Bytes, type Txid, toHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { type Sats, sumSats } from '../../base/units.ts';
import type { Network } from '../../bitcoin/address.ts';
import type { BlockHash } from '../../bitcoin/block.ts';
import type { Tx } from '../../bitcoin/tx.ts';
import type { Secp } from '../../crypto/secp.ts';
import { createMailbox } from '../../runtime/mailbox.ts';
import type { Chain, ChainUtxo } from '../chain.ts';
import { createFaucet } from '../regtest/faucet.ts';
import { COINBASE_MATURITY } from '../regtest/params.ts';
import type { RpcClient } from './client.ts';

export type MinerErrorCode =
  /** Blocks and coins are to be had for nothing on regtest only. */
  'NOT_REGTEST' | 'BAD_BLOCK_COUNT' | 'FAUCET_EMPTY';

const MAX_BLOCKS_AT_ONCE = 10_000;
/** A call for more might outlast the time an answer may take. */
const BLOCKS_PER_CALL = 200;
/** The rewards halve so fast that more blocks than this would bring next to nothing. */
const MAX_BLOCKS_FOR_FUNDS = 400;

/** Refusals throw `ProtocolError<MinerErrorCode>`. */
export interface Miner {
  mine(count: number, script?: Bytes): Promise<readonly BlockHash[]>;
  faucet(script: Bytes, amount: Sats): Promise<Txid>;
  /** Mines to the faucet until it can pay `amount`. Throws FAUCET_EMPTY when rewards have become too small for it. */
  fill(amount: Sats): Promise<void>;
}

interface MinerParts {
  readonly network: Network;
  readonly client: RpcClient;
  readonly secp: Secp;
  readonly chain: Pick<Chain, 'tip' | 'unspent'>;
  readonly broadcast: (tx: Tx) => Promise<Txid>;
  readonly sync: () => Promise<void>;
}

export function createMiner({ network, client, secp, chain, broadcast, sync }: MinerParts): Miner {
  const wallet = createFaucet(secp);
  const mailbox = createMailbox();

  function checkRegtest(): void {
    if (network === 'regtest') return;
    throw new ProtocolError('NOT_REGTEST', `on ${network} nobody mines or gives coins away at will`);
  }

  async function matureCoins(): Promise<readonly ChainUtxo[]> {
    const [coins, tip] = await Promise.all([chain.unspent(wallet.script), chain.tip()]);
    return coins.filter(
      ({ isCoinbase, confirmation }) => !isCoinbase || tip.height + 1 - confirmation!.height >= COINBASE_MATURITY,
    );
  }

  async function mine(count: number, script: Bytes = wallet.script): Promise<readonly BlockHash[]> {
    checkRegtest();
    if (!Number.isSafeInteger(count) || count < 0 || count > MAX_BLOCKS_AT_ONCE) {
      throw new ProtocolError('BAD_BLOCK_COUNT', `the number of blocks must be 0 … ${MAX_BLOCKS_AT_ONCE}: ${count}`);
    }
    const hashes: BlockHash[] = [];
    while (hashes.length < count) {
      const part = Math.min(count - hashes.length, BLOCKS_PER_CALL);
      hashes.push(...(await client.call<BlockHash[]>('generatetodescriptor', part, `raw(${toHex(script)})`)));
    }
    await sync();
    return hashes;
  }

  return {
    mine,
    // One payment after the other, or two would spend the same coin.
    faucet: (script, amount) =>
      mailbox.run('faucet', async () => {
        checkRegtest();
        return broadcast(wallet.pay(await matureCoins(), [{ value: amount, script }]));
      }),
    async fill(amount) {
      const owned = async (): Promise<bigint> => sumSats((await matureCoins()).map(({ value }) => value));
      let mined = 0;
      while ((await owned()) <= amount) {
        if (mined >= MAX_BLOCKS_FOR_FUNDS) {
          throw new ProtocolError('FAUCET_EMPTY', `${mined} blocks did not bring the faucet ${amount} sats`);
        }
        const count = mined === 0 ? COINBASE_MATURITY + 1 : 1;
        await mine(count);
        mined += count;
      }
    },
  };
}
