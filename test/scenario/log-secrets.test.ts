/** The log of a life with everything in it, searched for whatever would give somebody's money away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signedIntent } from '../../src/ark/client/account.ts';
import { settle } from '../../src/ark/client/batch.ts';
import { send } from '../../src/ark/client/offchain.ts';
import { parseNote, printNote } from '../../src/ark/protocol/note.ts';
import { deriveArkKeys } from '../../src/ark/server/keys.ts';
import { type Bytes, reversed, toBase64, toHex } from '../../src/base/bytes.ts';
import { createManualEntropy } from '../../src/runtime/entropy.ts';
import { type Lies, lying, silent } from '../support/adversary.ts';
import { ADMIN_TOKEN, paid, secp, type World, world } from '../support/world.ts';

const SEED = 'log-secrets';

/** Remembers every secret nonce that is drawn while `work` runs. */
async function noncesOf(work: () => Promise<void>): Promise<Bytes[]> {
  const drawn: Bytes[] = [];
  const { musigNonce } = secp;
  Object.assign(secp, {
    musigNonce: (...args: Parameters<typeof musigNonce>) => {
      const pair = musigNonce(...args);
      drawn.push(Uint8Array.from(pair.secret));
      return pair;
    },
  });
  await work().finally(() => Object.assign(secp, { musigNonce }));
  return drawn;
}

/** The middle of a secret in every form it may take in a text. */
const forms = (secret: Bytes): string[] => {
  const base64 = [0, 1, 2].map((skip) =>
    toBase64(secret.slice(skip, skip + 3 * Math.floor((secret.length - skip) / 3))),
  );
  return [toHex(secret), toHex(reversed(secret)), ...base64];
};

async function admin(ark: World, path: string, body: object, token = ADMIN_TOKEN): Promise<unknown> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await ark.server.adminApp.request(path, { method: 'POST', headers, body: JSON.stringify(body) });
  return response.json();
}

test('no key, nonce, token, preimage or note is ever written to the log', async () => {
  const lines: string[] = [];
  const secrets: string[] = ['wrong-admin-token'];
  const nonces = await noncesOf(async () => {
    const ark = await world({ seed: SEED, limits: { exposure: 'private' }, logTo: (line) => lines.push(line) });
    const lies: Lies = {};
    const [alice, bob] = [await ark.user('alice'), await ark.user('bob')];
    const mallory = await ark.user('mallory', lying(lies));
    const people = [alice, bob, mallory];
    for (const { account } of people) secrets.push(...forms(account.secret));
    const { notes } = (await admin(ark, '/v1/admin/note', { amount: 7_000 })) as { notes: [string] };
    secrets.push(notes[0].slice(0, 60), ...forms(parseNote(notes[0]).preimage));
    for (const user of people) {
      const [preimage] = (await ark.note(user, 50_000)).condition!;
      secrets.push(...forms(preimage!), printNote({ preimage: preimage!, value: 50_000n as never }).slice(0, 40));
    }
    await ark.board(bob, 30_000);
    await ark.settle(...people);

    // A payment, the same once more, a stranger's coin, and rubbish.
    const { coins } = await ark.everything(alice);
    await ark.run(send(alice.client, alice.account, coins, [paid(bob.account, coins)]));
    await ark.run(send(alice.client, alice.account, coins, [paid(alice.account, coins)])).catch(() => {});
    for (const path of ['/v1/tx/submit', '/v1/batch/registerIntent', '/v1/indexer/script/subscribe']) {
      const body = JSON.stringify({
        signedArkTx: notes[0],
        intent: { proof: notes[0], message: notes[0] },
        scripts: [notes[0]],
      });
      await ark.server.publicApp.request(path, { method: 'POST', body });
    }
    await admin(ark, '/v1/admin/note', { amount: 1 }, 'wrong-admin-token');

    const [own] = (await ark.everything(bob)).coins;
    const message = { type: 'get-data', expireAt: Math.floor(ark.clock.now() / 1000) + 60 } as const;
    const proof = signedIntent(bob.client, bob.account, message, [own!]);
    const query = new URLSearchParams({ 'intent.proof': proof.proof, 'intent.message': proof.message });
    const answer = await ark.server.publicApp.request(`/v1/indexer/vtxo/${own!.outpoint.txid}/0/chain?${query}`);
    const { authToken } = (await answer.json()) as { authToken: string };
    assert.ok(authToken.length > 40);
    secrets.push(authToken);
    await ark.server.publicApp.request(
      `/v1/indexer/virtualTx/${'ab'.repeat(32)}?${new URLSearchParams({ token: authToken })}`,
    );

    // A batch that Mallory spoils, a broadcast that fails, a spent VTXO on chain, expiry, and a restart.
    Object.assign(lies, { submitTreeNonces: silent });
    const spoiled = settle(mallory.client, mallory.account, await ark.everything(mallory), AbortSignal.timeout(60_000));
    spoiled.catch(() => {});
    await ark.settle(bob);
    ark.onBroadcast(async () => {
      throw Object.assign(new Error('the node is gone'), { credentials: 'rpc-password' });
    });
    await ark.mine(150);
    ark.onBroadcast(undefined);
    await ark.mine(2);
    await ark.restart();
    await ark.mine(150);
    secrets.push('rpc-password');
  });

  // The world's chance is a stream of its seed, whose first 32 bytes are the server's own seed.
  const seed = createManualEntropy(SEED).bytes(32);
  secrets.push(...forms(seed));
  const { fixed, signer, vault, delegate } = deriveArkKeys(seed);
  for (const key of [...Object.values(fixed), signer(0), vault, delegate]) secrets.push(...forms(key));
  assert.ok(nonces.length > 10);
  secrets.push(...nonces.flatMap((nonce) => [...forms(nonce.slice(4, 36)), ...forms(nonce.slice(36, 68))]));

  const log = lines.join('');
  for (const part of ['batch settled', 'batch failed', 'swept'])
    assert.ok(log.includes(part), `nothing was logged of: ${part}`);
  for (const secret of secrets) assert.ok(!log.includes(secret), `the log has ${secret.slice(0, 20)}…`);
});
