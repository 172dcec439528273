/** A wallet that speaks nothing but gRPC, against the command as a user runs it: from boarding to leaving. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Coin, coinOf, coinOfNote, createAccount } from '../../src/ark/client/account.ts';
import { settle } from '../../src/ark/client/batch.ts';
import { connect, createAggregators } from '../../src/ark/client/client.ts';
import { send } from '../../src/ark/client/offchain.ts';
import { spendableCoins } from '../../src/ark/client/vtxos.ts';
import { parseNote } from '../../src/ark/protocol/note.ts';
import { sats } from '../../src/base/units.ts';
import { addressOf } from '../../src/bitcoin/address.ts';
import { systemEntropy } from '../../src/runtime/entropy.ts';
import { grpcTransport } from '../support/grpc.ts';
import { useArk } from '../support/sdk.ts';
import { paid, secp } from '../support/world.ts';

const use = useArk();
const aggregators = createAggregators(secp);

async function user() {
  const transport = grpcTransport(use.ready.ark.url);
  after(() => transport.close());
  const client = await connect({ transport, secp, random: systemEntropy.bytes, aggregators });
  const account = createAccount(secp, client.terms, systemEntropy.bytes(32));
  const coins = (): Promise<readonly Coin[]> => spendableCoins(client, account);
  const balance = async (): Promise<bigint> => (await coins()).reduce((sum, { amount }) => sum + amount, 0n);
  return { client, account, coins, balance };
}
type User = Awaited<ReturnType<typeof user>>;

async function board({ client, account }: User, amount: number) {
  const address = addressOf('regtest', account.boarding.script)!;
  const txid = await use.faucet(address, amount);
  const vout = 0;
  const coin = coinOf(account, 'boarding', { txid: txid as never, vout }, BigInt(amount));
  return settle(client, account, { coins: [coin], receivers: [paid(account, [coin])], onchain: [] });
}

test('board, pay, redeem a note, settle and leave', async () => {
  const [alice, bob] = [await user(), await user()];
  await board(alice, 100_000);
  assert.equal(await alice.balance(), 100_000n);

  const gift = { value: sats(20_000), script: bob.account.vtxo.script };
  const change = { value: sats(80_000), script: alice.account.vtxo.script };
  await send(alice.client, alice.account, await alice.coins(), [gift, change]);
  assert.deepEqual([await alice.balance(), await bob.balance()], [80_000n, 20_000n]);

  const note = coinOfNote(secp, parseNote(await use.note(5_000)));
  const coins = [...(await bob.coins()), note];
  await settle(bob.client, bob.account, { coins, receivers: [paid(bob.account, coins)], onchain: [] });
  assert.equal(await bob.balance(), 25_000n);

  const outputs = { receivers: [{ ...change, value: sats(50_000) }], onchain: [{ ...gift, value: sats(30_000) }] };
  await settle(alice.client, alice.account, { coins: await alice.coins(), ...outputs });
  assert.equal(await alice.balance(), 50_000n);
});

test('two settle in one batch over gRPC, and a refusal has its code', async () => {
  const [alice, bob] = [await user(), await user()];
  await Promise.all([board(alice, 40_000), board(bob, 60_000)]);
  assert.deepEqual([await alice.balance(), await bob.balance()], [40_000n, 60_000n]);
  const coins = await alice.coins();
  await send(alice.client, alice.account, coins, [paid(bob.account, coins)]);
  const again = send(alice.client, alice.account, coins, [paid(bob.account, coins)]);
  await assert.rejects(again, { code: 'INVALID_ARK_PSBT' });
});
