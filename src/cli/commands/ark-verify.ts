/** `canalworks ark verify` and `ark exit-quote`: a VTXO looked at from outside, over the public APIs alone. */

import type { ChainSource } from '../../ark/client/chain-source.ts';
import { type ArkClient, connect, createAggregators } from '../../ark/client/client.ts';
import { createEsploraSource } from '../../ark/client/esplora.ts';
import { type ExitQuote, quoteExit } from '../../ark/client/quote.ts';
import { createTransport } from '../../ark/client/transport.ts';
import { type VtxoReport, verifyVtxo } from '../../ark/client/verify.ts';
import { defaultVtxo } from '../../ark/protocol/vtxo.ts';
import { outpointKey, parseOutpoint, toHex } from '../../base/bytes.ts';
import { messageOf, ProtocolError } from '../../base/errors.ts';
import { type FeeRate, feeRate, parseSats } from '../../base/units.ts';
import { txidOf } from '../../bitcoin/tx.ts';
import type { ConfigSource } from '../../runtime/config.ts';
import { systemEntropy } from '../../runtime/entropy.ts';
import { OperatorError } from '../../runtime/operator-error.ts';
import { loadSecp } from '../../runtime/secp-wasm.ts';
import { argument } from '../argument.ts';
import { runningProcess } from '../remote.ts';

const TIMEOUT_MS = 60_000;
const FEE_TARGET_BLOCKS = 2;

interface Outside {
  readonly client: ArkClient;
  readonly chain: ChainSource;
}

/** The server and the explorer that the flags name, or those of the running process. */
async function reach({ url, explorer, ...flags }: ConfigSource): Promise<Outside> {
  const running = url === undefined || explorer === undefined ? runningProcess(flags) : undefined;
  const base = (text: string): string => text.replace(/\/+$/, '');
  const fetching = (target: string, init: RequestInit) =>
    fetch(target, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  const secp = await loadSecp();
  const transport = createTransport(fetching, base(url ?? running!.ark.url));
  const parts = { transport, secp, random: systemEntropy.bytes, aggregators: createAggregators(secp) };
  const client = await connect(parts);
  const chain = createEsploraSource(fetching, base(explorer ?? running!.chain.esplora), client.terms.network);
  return { client, chain };
}

async function look(outpoint: string, flags: ConfigSource): Promise<Outside & { readonly report: VtxoReport }> {
  const parsed = argument('OUTPOINT', outpoint, parseOutpoint);
  try {
    const outside = await reach(flags);
    return { ...outside, report: await verifyVtxo(outside.client, outside.chain, parsed) };
  } catch (error) {
    if (error instanceof ProtocolError) throw new OperatorError('COMMAND_REFUSED', `${error.code}: ${error.message}`);
    // What `fetch` throws when nobody answers.
    if (error instanceof TypeError) throw new OperatorError('NOT_RUNNING', messageOf(error));
    throw error;
  }
}

const print = (lines: readonly string[]): boolean => process.stdout.write(`${lines.join('\n')}\n`);

/** Amounts and bytes as texts. */
const json = (value: unknown): string =>
  JSON.stringify(value, (_, each) =>
    typeof each === 'bigint' ? `${each}` : each instanceof Uint8Array ? toHex(each) : each,
  );

const plainReport = ({ txs, ...report }: VtxoReport) => ({
  ...report,
  outpoint: outpointKey(report.outpoint),
  txids: txs.map(txidOf),
});

/** Prints what a VTXO is worth trusting for; ends with code 1 when it is refused. */
export async function verify(outpoint: string, flags: ConfigSource, asJson: boolean): Promise<void> {
  const { report } = await look(outpoint, flags);
  const { standing, output, serverTrustedHops, roots, life, findings, txs, confirmed } = report;
  if (standing === 'refused') process.exitCode = 1;
  if (asJson) return void print([json(plainReport(report))]);
  print([
    `${standing}: ${output?.value ?? 0n} sat`,
    `batches         ${roots.map(({ commitmentTxid }) => commitmentTxid).join(', ') || 'none'}`,
    `trusted hops    ${serverTrustedHops}`,
    `transactions    ${txs.length}, ${confirmed.length} of them in blocks`,
    ...(life
      ? [`expires at      ${life.expiresAt}, exit to begin by ${life.latestStart}, now ${life.now} (${life.unit})`]
      : []),
    ...findings.map(({ weight, code, message, at }) => `${weight}: ${code}: ${message}${at ? ` (${at})` : ''}`),
  ]);
}

export interface QuoteFlags {
  readonly feeRate?: string;
  readonly coins?: string;
  readonly crowd?: string;
  readonly crowdFeeRate?: string;
}

const rateOf = (name: string, text: string): FeeRate => argument(name, text, (each) => feeRate(Number(each)));
const countOf = (name: string, text: string): number => argument(name, text, (each) => Number(parseSats(each)));

/**
 * Prints what leaving with a VTXO would cost now. Its closures are their owner's secret, so that the script of a default
 * VTXO is supposed.
 */
export async function exitQuote(
  outpoint: string,
  flags: ConfigSource,
  asked: QuoteFlags,
  asJson: boolean,
): Promise<void> {
  const { client, chain, report } = await look(outpoint, flags);
  const { secp, terms } = client;
  if (!report.output) throw new OperatorError('COMMAND_REFUSED', `there is no VTXO ${outpoint}`);
  const rate = asked.feeRate ? rateOf('--fee-rate', asked.feeRate) : await chain.feeRate(FEE_TARGET_BLOCKS);
  const coins = (asked.coins ?? '').split(',').filter(Boolean);
  const { scripts: tapTree } = defaultVtxo(secp, terms.signer, terms.signer, terms.unilateralExitDelay);
  const left = report.txs.filter((tx) => !report.confirmed.includes(txidOf(tx)));
  const quote = quoteExit(secp, terms.signer, {
    vtxo: { outpoint: report.outpoint, output: report.output, tapTree, roots: report.roots },
    txs: left,
    rate,
    coins: coins.map((coin) => argument('--coins', coin, parseSats)),
    tip: await chain.tip(),
    dust: terms.dust,
    life: report.life,
    ...(asked.crowd && {
      crowd: {
        exits: countOf('--crowd', asked.crowd),
        rate: asked.crowdFeeRate ? rateOf('--crowd-fee-rate', asked.crowdFeeRate) : rate,
      },
    }),
  });
  print(asJson ? [json({ feeRate: rate, ...quote })] : linesOf(quote, rate));
}

function linesOf(quote: ExitQuote, rate: FeeRate): string[] {
  const { transactions, vbytes, unrollFee, claimFee, value, net, isWorthIt, blocks, seconds, latestStart, crowd } =
    quote;
  return [
    `${isWorthIt ? 'worth it' : 'not worth it'}: ${net} of ${value} sat are left, at ${rate} sat/vB`,
    `transactions    ${transactions} and a claim, ${vbytes} vB with the children that pay`,
    `fees            ${unrollFee} sat from coins on chain, ${claimFee} sat from the claim`,
    `takes           ${blocks} blocks and the delay, about ${Math.ceil(seconds / 3_600)} hours`,
    `begin by        ${latestStart ?? 'unknown'}`,
    quote.shortfall > 0n
      ? `coins           a coin of ${quote.shortfall} sat is missing, ${quote.coins} go out at once`
      : `coins           enough, ${quote.coins} go out at once`,
    ...(crowd
      ? [`in a crowd      ${crowd.blocks} blocks, ${crowd.fee} sat, ${crowd.isInTime ? 'in time' : 'too late'}`]
      : []),
  ];
}
