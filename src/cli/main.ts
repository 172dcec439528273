/** The command line: which words call which command, and how trouble is told. */
import { Command, CommanderError } from 'commander';
import { messageOf } from '../base/errors.ts';
import { OperatorError } from '../runtime/operator-error.ts';
import { textsOf, withSettings } from './flags.ts';
import { NETWORK, RUN_SETTINGS, TERMS, WHERE } from './options.ts';
import { VERSION } from './version.ts';

const program = new Command('canalworks')
  .description('An Ark server and the Bitcoin chain under it, in one process')
  .version(VERSION)
  .showSuggestionAfterError(false)
  .exitOverride();

/** A command that acts on the running process. */
const remote = (usage: string, description: string): Command =>
  withSettings(program.command(usage).description(description), { data: WHERE.data, ...NETWORK });

const up = withSettings(program.command('up').description('start everything and run until Ctrl-C'), RUN_SETTINGS);
withSettings(up.optionsGroup('Terms of the Ark server (most can be changed while it runs, which then wins):'), TERMS)
  .addHelpText(
    'after',
    '\nEach option can also be set by a variable (CANALWORKS_ARK_PORT=7070) or in the config file ({"arkPort": 7070}).\nA flag beats a variable, a variable beats the file, the file beats the default.',
  )
  .action(async (_options, command) => (await import('./commands/up.ts')).up(textsOf(command)));

remote('mine <N>', 'mine N blocks; prints the new height').action(async (count, _options, command) =>
  (await import('./commands/mine.ts')).mine(count, textsOf(command)),
);
remote('faucet <ADDRESS> <SATS>', 'pay SATS to ADDRESS; prints the txid').action(
  async (address, sats, _options, command) =>
    (await import('./commands/faucet.ts')).faucet(address, sats, textsOf(command)),
);
remote('note <SATS>', 'make an Ark note of SATS; prints it').action(async (sats, _options, command) =>
  (await import('./commands/note.ts')).note(sats, textsOf(command)),
);
remote('status', 'tell what is running')
  .option('--json', 'as one line of JSON, with the admin token')
  .action(async ({ json }, command) => (await import('./commands/status.ts')).status(textsOf(command), json === true));

const ark = program.command('ark').description('operate an Ark server, the one running here or another');
if (process.argv.includes('ark')) (await import('./commands/ark.ts')).mountArk(ark);

/** A command that looks at a server from outside, the running one or any other. */
const outside = (usage: string, description: string): Command =>
  withSettings(ark.command(usage).description(description), { data: WHERE.data, ...NETWORK })
    .option('--url <URL>', 'the Ark server (default: the running one)')
    .option('--explorer <URL>', 'an Esplora API (default: the one of the running process)')
    .option('--json', 'as one line of JSON');

outside('verify <OUTPOINT>', 'verify a VTXO down to the chain; ends with code 1 when it is not to be accepted').action(
  async (outpoint, { json, ...flags }) =>
    (await import('./commands/ark-verify.ts')).verify(outpoint, flags, json === true),
);
outside('exit-quote <OUTPOINT>', 'tell what it would cost to leave with a VTXO without the server')
  .option('--fee-rate <SAT_PER_VB>', 'fee rate (default: what the explorer estimates)')
  .option('--coins <SATS,…>', 'confirmed coins that would pay, in satoshi')
  .option('--crowd <EXITS>', 'tell also what happens when so many leave at once')
  .option('--crowd-fee-rate <SAT_PER_VB>', 'fee rate in that crowd')
  .action(async (outpoint, { json, feeRate, coins, crowd, crowdFeeRate, ...flags }) => {
    const asked = { feeRate, coins, crowd, crowdFeeRate };
    return (await import('./commands/ark-verify.ts')).exitQuote(outpoint, flags, asked, json === true);
  });

/** One line on stderr; an internal error is told without its stack. */
function tell(error: unknown): void {
  if (error instanceof CommanderError) {
    // Commander has printed it, or the help or version that was asked for.
    process.exitCode = error.exitCode;
    return;
  }
  const message = error instanceof OperatorError ? error.message : `internal error: ${messageOf(error)}`;
  process.stderr.write(`canalworks: ${message.replaceAll('\n', ' ')}\n`);
  process.exitCode = error instanceof OperatorError ? 1 : 70;
}

await program.parseAsync().catch(tell);
