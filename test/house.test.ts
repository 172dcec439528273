import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';

const SRC = join(import.meta.dirname, '..', 'src');
const WINGS = ['ark', 'spark', 'factory', 'lightning'];
/** Floors from the ground up; a file may import from its own floor and those below that its row names. */
const GROUND = ['base', 'crypto', 'bitcoin', 'txgraph'];
const PLANT = ['runtime', 'chain', 'store'];
const ROOF = ['wallet', 'web', 'cli'];
const WING_ROOMS = ['protocol', 'wire', 'client', 'server'];

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const importsOf = (text: string): string[] =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) => match[1]!);
const place = (file: string): { wing: string; room: string } => {
  const [wing = '', room = ''] = file.split('/');
  return { wing, room: WINGS.includes(wing) ? room : '' };
};

function complaint(from: string, to: string): string | undefined {
  const a = place(from);
  const b = place(to);
  const upstairs = `${from} imports upstairs: ${to}`;
  if (a.wing === b.wing && !WINGS.includes(a.wing)) return undefined;
  if (a.wing === 'cli') return undefined;
  if (GROUND.includes(a.wing))
    return GROUND.indexOf(b.wing) > GROUND.indexOf(a.wing) || !GROUND.includes(b.wing) ? upstairs : undefined;
  if (GROUND.includes(b.wing)) return undefined;
  if (PLANT.includes(a.wing)) return PLANT.includes(b.wing) ? undefined : upstairs;
  if (WINGS.includes(a.wing)) {
    if (WINGS.includes(b.wing) && b.wing !== a.wing) {
      return b.wing === 'lightning' && b.room === 'protocol' ? undefined : `${from} walks through a wall into ${to}`;
    }
    if (b.wing === a.wing) return WING_ROOMS.indexOf(b.room) > WING_ROOMS.indexOf(a.room) ? upstairs : undefined;
    if (PLANT.includes(b.wing)) return a.room === 'server' ? undefined : upstairs;
    return upstairs;
  }
  if (a.wing === 'sim') return [...WINGS].includes(b.wing) && b.room === 'protocol' ? undefined : upstairs;
  if (ROOF.includes(a.wing)) {
    if (ROOF.includes(b.wing)) return ROOF.indexOf(b.wing) > ROOF.indexOf(a.wing) ? upstairs : undefined;
    return WINGS.includes(b.wing) && b.room === 'server' ? `${from} reaches into ${to}` : undefined;
  }
  return `${from} stands on no floor`;
}

test('every import points downstairs and through no wall', () => {
  const complaints = files.flatMap((file) =>
    importsOf(readFileSync(join(SRC, file), 'utf8'))
      .map((target) => relative(SRC, join(SRC, dirname(file), target)))
      .map((target) => complaint(file, target))
      .filter((found) => found !== undefined),
  );
  assert.deepEqual(complaints, []);
});

test('the pure floors have no clock and no chance, and txgraph knows no wing', () => {
  const pure = files.filter((file) => {
    const { wing, room } = place(file);
    return GROUND.includes(wing) || wing === 'sim' || room === 'protocol' || room === 'wire';
  });
  for (const file of pure) {
    const text = readFileSync(join(SRC, file), 'utf8');
    assert.doesNotMatch(text, /Date\.now|Math\.random|new Date\(\)|getRandomValues/, file);
    if (file.startsWith('txgraph/')) assert.doesNotMatch(text, /\b(ark|spark|factory|lightning)\b/i, file);
  }
});

test('the guard itself catches both kinds of trespass', () => {
  assert.match(complaint('ark/protocol/batch.ts', 'spark/protocol/leaf.ts')!, /wall/);
  assert.match(complaint('bitcoin/tx.ts', 'txgraph/graph.ts')!, /upstairs/);
  assert.match(complaint('chain/chain.ts', 'ark/protocol/batch.ts')!, /upstairs/);
  assert.match(complaint('ark/client/wallet.ts', 'ark/server/store.ts')!, /upstairs/);
  assert.equal(complaint('ark/server/store.ts', 'store/db.ts'), undefined);
});
