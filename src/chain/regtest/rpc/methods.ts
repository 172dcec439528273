/** All calls that the door knows. */
import { BlockIndex } from './block-index.ts';
import { chainCalls } from './chain-calls.ts';
import { mempoolCalls } from './mempool-calls.ts';
import { type Method, method, type RpcContext } from './method.ts';
import { miningCalls } from './mining-calls.ts';
import { packageCalls } from './package-calls.ts';
import { serverCalls } from './server-calls.ts';
import { txCalls } from './tx-calls.ts';
import { walletCalls } from './wallet-calls.ts';

/** bitcoind's list: a heading per group, then a line per call. */
function overview(groups: Readonly<Record<string, readonly Method[]>>): string {
  const sections = Object.entries(groups).map(([title, methods]) => {
    const lines = methods.map(({ usage }) => usage).sort();
    return [`== ${title} ==`, ...lines].join('\n');
  });
  return sections.join('\n\n');
}

export function createMethods(context: RpcContext): readonly Method[] {
  const index = new BlockIndex(context.node);
  const help = method('help [command]', 'All calls, or how one is used.', (args) => {
    if (!args.has('command')) return overview(groups);
    const name = args.string('command');
    const found = all.find((one) => one.name === name);
    return found ? `${found.usage}\n\n${found.help}` : `help: unknown command: ${name}`;
  });
  const groups: Readonly<Record<string, readonly Method[]>> = {
    Blockchain: [...chainCalls(context, index), ...mempoolCalls(context)],
    Control: [...serverCalls(context), help],
    Mining: miningCalls(context, index),
    Rawtransactions: [...txCalls(context, index), ...packageCalls(context)],
    Wallet: walletCalls(context),
  };
  const all = Object.values(groups).flat();
  return all;
}
