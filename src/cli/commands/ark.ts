/** `canalworks ark …`: an operator's day, told in one table of commands. */
import type { Command } from 'commander';
import { resolveConfig } from '../../runtime/config.ts';
import { openAdmin } from '../admin.ts';
import { ACCESS } from '../ark/access.ts';
import type { ArkCommand } from '../ark/command.ts';
import { CONVICTIONS } from '../ark/convictions.ts';
import { LIQUIDITY } from '../ark/liquidity.ts';
import { QUEUE } from '../ark/queue.ts';
import { ROUNDS } from '../ark/rounds.ts';
import { SIGNERS } from '../ark/signers.ts';
import { TERMS } from '../ark/terms.ts';
import { WALLET } from '../ark/wallet.ts';
import { textsOf, withSettings } from '../flags.ts';
import { NETWORK, REMOTE, WHERE } from '../options.ts';

const COMMANDS: readonly ArkCommand[] = [
  ...WALLET,
  ...ROUNDS,
  ...LIQUIDITY,
  ...TERMS,
  ...QUEUE,
  ...CONVICTIONS,
  ...SIGNERS,
  ...ACCESS,
];

/** First words that have more words after them. */
const GROUPS: Readonly<Record<string, string>> = {
  wallet: "the server's own coins",
  liquidity: 'where the money is, and what the next days will take',
  fees: 'what intents pay',
  settings: 'the terms of the server',
  'scheduled-session': 'windows in which batches run on terms of their own',
  intents: 'the queue of a batch',
  notes: 'money made by the operator',
  convictions: 'who misbehaved, and who is shut out',
  signer: 'the keys under which the server cosigns VTXOs',
  token: 'what opens the admin API',
  tokens: "what opens the indexer's private parts",
};

const EXAMPLES = `
Examples:
  canalworks ark wallet balance
  canalworks ark wallet withdraw bc1q… 250000 --fee-rate 12
  canalworks ark rounds --after -1d --details
  canalworks ark liquidity report --days 30
  canalworks ark fees set --onchain-output "200.0" --offchain-input "amount * 0.001"
  canalworks ark settings set banThreshold=5 sessionDuration=20
  canalworks ark scheduled-session set --start 2026-12-01T09:00:00Z --end 2026-12-01T10:00:00Z --period 1d
  canalworks ark convictions ban bc1q… --duration 7d --reason "double spends"

Each acts on the process that runs here; --url and --token name another one, as do CANALWORKS_URL and CANALWORKS_TOKEN.
Amounts are satoshi, times UTC. --json prints the server's answer. A refusal ends with code 1.`;

export function mountArk(ark: Command): void {
  ark.addHelpText('after', EXAMPLES);
  const groups = new Map<string, Command>();
  const groupOf = (name: string): Command => {
    const group = groups.get(name) ?? ark.command(name).description(GROUPS[name]!);
    groups.set(name, group);
    return group;
  };
  for (const spec of COMMANDS) {
    const [first, ...rest] = spec.usage.split(' ') as [string, ...string[]];
    mount(first in GROUPS ? groupOf(first).command(rest.join(' ')) : ark.command(spec.usage), spec);
  }
}

function mount(command: Command, spec: ArkCommand): void {
  withSettings(command.description(spec.help), spec.options).option('--json', "print the server's answer as JSON");
  withSettings(command.optionsGroup('Which server:'), { data: WHERE.data, ...NETWORK, ...REMOTE });
  command.action(async (...given: unknown[]) => {
    const args = given.slice(0, -2).flat() as string[];
    const flags = textsOf(command);
    const answer = await spec.ask(openAdmin(flags), args, resolveConfig(spec.options, [flags]));
    process.stdout.write(command.opts().json ? `${JSON.stringify(answer)}\n` : spec.show(answer));
  });
}
