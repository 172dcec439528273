/** Opens the chain to run on, embedded or a bitcoind, and puts the first coins on a regtest. */
import { join } from 'node:path';
import { messageOf, ProtocolError } from '../base/errors.ts';
import { type Sats, sats, sumSats } from '../base/units.ts';
import { type BitcoindChain, createBitcoindChain } from '../chain/bitcoind/chain.ts';
import { createRpcClient, type RpcCredentials, readCookie } from '../chain/bitcoind/client.ts';
import type { ControlledChain } from '../chain/controlled-chain.ts';
import { NodeError } from '../chain/node-error.ts';
import { memoryStore, openBlockFile } from '../chain/regtest/block-file.ts';
import { createRegtestChain, type RegtestChain } from '../chain/regtest/chain.ts';
import { scriptHashOf } from '../chain/script-hash.ts';
import type { Secp } from '../crypto/secp.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { OperatorError } from '../runtime/operator-error.ts';
import type { Db } from '../store/db.ts';
import { localNode } from './node-url.ts';
import type { UpConfig } from './options.ts';

/** The embedded chain begins with this many blocks; the next one confirms the first funding. */
const INITIAL_BLOCKS = 110;

export interface ChainParts {
  readonly config: UpConfig;
  readonly secp: Secp;
  readonly db: Db;
  /** Where the embedded chain is kept; `undefined` keeps it in memory. */
  readonly folder: string | undefined;
  readonly log: Log;
}

export interface EmbeddedChain {
  readonly kind: 'embedded';
  readonly chain: RegtestChain;
}

export type OpenedChain =
  | EmbeddedChain
  | { readonly kind: 'bitcoind'; readonly chain: BitcoindChain; readonly url: string; credentials(): RpcCredentials };

/** Throws `OperatorError` NODE_UNUSABLE or DATA_UNREADABLE. */
export async function openChain(parts: ChainParts): Promise<OpenedChain> {
  const { chain, chainCookie } = parts.config;
  return chain === undefined && chainCookie === undefined ? openEmbedded(parts) : openBitcoind(parts);
}

function openEmbedded({ config, secp, folder, log }: ChainParts): OpenedChain {
  const path = folder && join(folder, 'chain.blocks');
  try {
    const chain = createRegtestChain({
      secp,
      now: () => Math.floor(systemClock.now() / 1000),
      initialBlocks: INITIAL_BLOCKS,
      bip119: config.bip119,
      store: path
        ? openBlockFile(path, (bytes) => log.warn({ bytes }, 'cut off a record that was not written to its end'))
        : memoryStore(),
      onListenerError: (error) => log.error({ err: error }, 'a listener failed'),
    });
    return { kind: 'embedded', chain };
  } catch (error) {
    throw new OperatorError('DATA_UNREADABLE', `cannot open the chain ${path}: ${messageOf(error)}`);
  }
}

async function openBitcoind({ config, secp, db, log }: ChainParts): Promise<OpenedChain> {
  const { network, indexFrom, chainCookie } = config;
  const node = config.chain ?? localNode(network);
  const credentials = (): RpcCredentials => node.credentials ?? readCookie(chainCookie!);
  const client = createRpcClient({ url: node.url, credentials });
  try {
    const chain = await createBitcoindChain({
      client,
      network,
      secp,
      db,
      log,
      clock: systemClock,
      ...(indexFrom !== undefined && { indexFrom }),
    });
    return { kind: 'bitcoind', chain, url: node.url, credentials };
  } catch (error) {
    if (error instanceof NodeError) throw new OperatorError('NODE_UNUSABLE', error.message);
    throw error;
  }
}

export interface Payment {
  readonly script: Uint8Array;
  readonly amount: Sats;
}

/** For the fees of the first payments. */
const RESERVE = sats(1_0000_0000);

/** Makes and mines the first payments of a regtest; what happened since says whether they were made before. */
export async function fundOnce(opened: OpenedChain, payments: readonly Payment[], log: Log): Promise<void> {
  if (opened.kind === 'embedded') {
    if ((await opened.chain.tip()).height <= INITIAL_BLOCKS) await payAll(opened.chain, payments);
    return;
  }
  const { chain } = opened;
  if (chain.network !== 'regtest' || (await hasHistory(chain, payments[0]!.script))) return;
  try {
    await chain.fillFaucet(sats(sumSats(payments.map(({ amount }) => amount)) + RESERVE));
    await payAll(chain, payments);
  } catch (error) {
    // An old regtest brings rewards too small for it; all else works without.
    if (!(error instanceof ProtocolError)) throw error;
    log.warn({ code: error.code }, `the first coins could not be given out: ${error.message}`);
  }
}

async function payAll(chain: ControlledChain, payments: readonly Payment[]): Promise<void> {
  for (const { script, amount } of payments) await chain.faucet(script, amount);
  await chain.mine(1);
}

async function hasHistory({ explorer }: ControlledChain, script: Uint8Array): Promise<boolean> {
  const { confirmed, mempool } = await explorer.activity(scriptHashOf(script));
  return confirmed.txCount + mempool.txCount > 0;
}
