import { parseTxid } from '../../base/bytes.ts';
import { parseBtc } from '../../base/units.ts';
import { argument } from '../argument.ts';
import { grouped, list, table, when } from '../table.ts';
import { command } from './command.ts';
import { choice, TIMES } from './options.ts';

interface Round {
  readonly roundId: string;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly commitmentTxid: string;
  readonly forfeitedAmount: string;
  readonly totalVtxosAmount: string;
  readonly totalExitAmount: string;
  readonly totalFeeAmount: string;
  readonly inputsVtxos: readonly string[];
  readonly outputsVtxos: readonly string[];
  readonly exitAddresses: readonly string[];
}

interface ScheduledSweep {
  readonly roundId: string;
  readonly confirmed: boolean;
  readonly outputs: readonly {
    readonly txid: string;
    readonly vout: number;
    readonly amount: string;
    readonly scheduledAt: string;
  }[];
}

const sats = (btc: string): string => grouped(`${parseBtc(btc)}`);

export const ROUNDS = [
  command({
    usage: 'rounds',
    help: 'batches of a time, the latest last',
    options: { ...TIMES, failed: choice('those that failed, too'), details: choice('with what each of them moved') },
    async ask(admin, _args, { after, before, failed, details }): Promise<{ rounds: readonly (string | Round)[] }> {
      const query = { after, before, withFailed: failed, withCompleted: true };
      const { rounds } = await admin.get<{ rounds: string[] }>('rounds', query);
      if (!details) return { rounds };
      const found: Round[] = [];
      for (const id of rounds) found.push(await admin.get<Round>(`round/${id}`));
      return { rounds: found };
    },
    show({ rounds }) {
      const detailed = rounds.filter((round) => typeof round !== 'string');
      if (detailed.length === 0) return rounds.length === 0 ? 'none\n' : `${rounds.join('\n')}\n`;
      return table(
        ['id', 'ended (UTC)', 'VTXOs', 'exits', 'forfeited', 'fees', 'commitment'],
        detailed.map((round) => [
          round.roundId,
          when(round.endedAt),
          sats(round.totalVtxosAmount),
          sats(round.totalExitAmount),
          sats(round.forfeitedAmount),
          sats(round.totalFeeAmount),
          round.commitmentTxid || 'failed',
        ]),
      );
    },
  }),
  command<Round>({
    usage: 'round <ID>',
    help: 'all about one batch, amounts in satoshi',
    ask: (admin, [id]) => admin.get(`round/${encodeURIComponent(id!)}`),
    show: (round) =>
      list([
        ['id', round.roundId],
        ['commitment', round.commitmentTxid || 'none: it failed'],
        ['started (UTC)', when(round.startedAt)],
        ['ended (UTC)', when(round.endedAt)],
        ['VTXOs made', `${sats(round.totalVtxosAmount)} in ${round.outputsVtxos.length}`],
        ['paid on chain', `${sats(round.totalExitAmount)} in ${round.exitAddresses.length}`],
        ['forfeited', sats(round.forfeitedAmount)],
        ['fees collected', sats(round.totalFeeAmount)],
        ...round.inputsVtxos.map((outpoint) => ['spent', outpoint] as const),
        ...round.outputsVtxos.map((outpoint) => ['made', outpoint] as const),
        ...round.exitAddresses.map((address) => ['paid to', address] as const),
      ]),
  }),
  command<{ rounds: { roundId: string; commitmentTxid: string; expiredAt: string }[] }>({
    usage: 'expired',
    help: 'batches that have expired and are not swept: what is left may not be worth its fee',
    ask: (admin) => admin.get('rounds/expired'),
    show: ({ rounds }) =>
      table(
        ['id', 'expired (UTC)', 'commitment'],
        rounds.map(({ roundId, expiredAt, commitmentTxid }) => [roundId, when(expiredAt), commitmentTxid]),
      ),
  }),
  command<{ sweeps: readonly ScheduledSweep[] }>({
    usage: 'sweeps',
    help: 'what batches have on chain, and from when on it may be swept',
    ask: (admin) => admin.get('sweeps'),
    show: ({ sweeps }) =>
      table(
        ['round', 'output', 'satoshi', 'from about (UTC)'],
        sweeps.flatMap(({ roundId, confirmed, outputs }) =>
          confirmed
            ? outputs.map(({ txid, vout, amount, scheduledAt }) => [
                roundId,
                `${txid}:${vout}`,
                sats(amount),
                when(scheduledAt),
              ])
            : [[roundId, 'not in a block yet', '', '']],
        ),
      ),
  }),
  command({
    usage: 'sweep [TXID...]',
    help: 'sweep the expired batches of these commitments now, whatever it costs; prints the txid',
    options: { connectors: choice('sweep connectors that no forfeit needs any more, too') },
    ask: (admin, txids, { connectors }): Promise<{ txid: string }> =>
      admin.post('sweep', { connectors, commitmentTxids: txids.map((txid) => argument('TXID', txid, parseTxid)) }),
    show: ({ txid }) => `${txid}\n`,
  }),
];
