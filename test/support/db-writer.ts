/** A child process for the storage contract: writes pairs of coins for ever and prints each pair once it is durable. */
import { openPlace } from './database.ts';

const db = await openPlace(process.argv[2]!);
const sql = 'insert into coin (id, amount) values ($1, 1), ($2, 1)';

async function writeForEver(lane: number): Promise<void> {
  for (let i = 0; ; i++) {
    const pair = [`${lane}-${i}-a`, `${lane}-${i}-b`];
    await db.write((tx) => tx.run(sql, pair));
    process.stdout.write(`${pair.join('\n')}\n`);
  }
}

await Promise.all([0, 1, 2, 3].map(writeForEver));
