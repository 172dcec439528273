/**
 * The whole stack in a process of its own that kills itself, with SIGKILL, at a write of its database. Arguments: the
 * data folder, and settings as JSON. Tells its parent when it is ready, and obeys `{ write, when }`.
 */
import { join } from 'node:path';
import { resolveUpConfig } from '../../src/cli/options.ts';
import { startStack } from '../../src/cli/stack.ts';
import { silentLog } from '../../src/runtime/log.ts';
import type { Db } from '../../src/store/db.ts';
import { openSqlite } from '../../src/store/sqlite.ts';

const [folder, settings] = process.argv.slice(2) as [string, string];
const flags = { ...(JSON.parse(settings) as Record<string, string>), data: folder, ports: 'auto' };
let left = Number.POSITIVE_INFINITY;
let side: unknown;

function pass(when: string): void {
  if (when === 'before') left--;
  if (left <= 0 && side === when) process.kill(process.pid, 'SIGKILL');
}

const db = openSqlite(join(folder, 'ark.sqlite'));
const mortal: Db = {
  ...db,
  async write(work) {
    pass('before');
    const result = await db.write(work);
    pass('after');
    return result;
  },
};
process.on('message', ({ write, when }: { write: number; when: string }) => {
  left = write;
  side = when;
  process.send!('armed');
});
process.once('disconnect', () => process.exit());
const { ready } = await startStack({ config: resolveUpConfig(flags, {}), folder, db: mortal, log: silentLog });
process.send!(ready);
