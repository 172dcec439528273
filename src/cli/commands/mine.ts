import { type ConfigSource, wholeNumber } from '../../runtime/config.ts';
import { argument } from '../argument.ts';
import { call, controlUrl, runningProcess } from '../remote.ts';

/** `canalworks mine N`: mines N blocks and prints the new height. */
export async function mine(count: string, flags: ConfigSource): Promise<void> {
  const blocks = argument('N', count, wholeNumber(1, 10_000));
  const running = runningProcess(flags);
  const { height } = await call<{ height: number }>(running, controlUrl(running, 'mine'), { blocks });
  process.stdout.write(`${height}\n`);
}
