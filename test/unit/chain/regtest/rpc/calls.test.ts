import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { toHex } from '../../../../../src/base/bytes.ts';
import { addressOf } from '../../../../../src/bitcoin/address.ts';
import { txHex, txidOf } from '../../../../../src/bitcoin/tx.ts';
import { createDispatch } from '../../../../../src/chain/regtest/rpc/dispatch.ts';
import { parseJson } from '../../../../../src/chain/regtest/rpc/json.ts';
import { createMethods } from '../../../../../src/chain/regtest/rpc/methods.ts';
import { RPC_ERROR } from '../../../../../src/chain/rpc-error.ts';
import { coinOf, pay, secp, spend, testChain } from '../../../../support/regtest.ts';

/** Per method, so that all together are more than ten thousand. */
const RUNS = 250;

const world = testChain();
after(() => world.chain.close());
const { chain, locks } = world;
const [coin] = await world.fund([locks.p2tr]);
const waiting = spend([coin!], [pay(locks.p2tr, 90_000n)]);
await chain.broadcast(waiting);
const child = spend([coinOf(waiting, 0, locks.p2tr)], [pay(locks.p2tr, 80_000n)]);
const faults: unknown[] = [];
const methods = createMethods({ chain, node: chain.node, secp, version: '0', uptime: () => 0 });
const dispatch = createDispatch(methods, (error) => faults.push(error));

const { hash } = await chain.tip();
const rawBlock = toHex((await chain.explorer.rawBlock(hash))!);
/** What calls like to hear, so that many get past the first check. */
const likely: fc.Arbitrary<unknown> = fc.constantFrom<unknown[]>(
  hash,
  (await chain.explorer.blockHash(0))!,
  txidOf(waiting),
  txidOf(child),
  '0'.repeat(64),
  txHex(waiting),
  txHex(child),
  txHex(child).slice(2),
  [txHex(child)],
  [txHex(waiting), txHex(child)],
  [txHex(child), txHex(waiting)],
  [txidOf(waiting)],
  rawBlock,
  `${rawBlock.slice(0, 8)}ff${rawBlock.slice(10)}`,
  rawBlock.slice(0, 160),
  addressOf('regtest', locks.p2wpkh.script)!,
  `addr(${addressOf('regtest', locks.p2tr.script)!})`,
  [`raw(${toHex(locks.p2tr.script)})`],
  [{ txid: txidOf(waiting), vout: 0 }],
  'start',
  'status',
  0,
  1,
  2,
  3,
  100,
  -1,
  0.5,
  1e300,
  '0.1',
  true,
  false,
  null,
  [],
  {},
  [null],
  ['txs'],
  ['toString', 'avgfee'],
);
const anything = fc.oneof({ weight: 4, arbitrary: likely }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) });

/** Parameters by position, or by names, right ones mostly. */
const paramsFor = (usage: string): fc.Arbitrary<unknown> => {
  const names = usage
    .split(' ')
    .slice(1)
    .flatMap((word) => word.replace(/[[\]]/g, '').split('|'));
  const named = fc.dictionary(fc.constantFrom(...names, 'args', 'x'), anything, { maxKeys: 4 });
  return fc.oneof(fc.array(anything, { maxLength: names.length + 1 }), named);
};

for (const { name, usage } of methods) {
  test(`${name} answers or refuses, whatever it is told`, async () => {
    await fc.assert(
      fc.asyncProperty(paramsFor(usage), async (params) => {
        const { status, body } = await dispatch(JSON.stringify({ id: 1, method: name, params }));
        const { error } = body as { readonly error: { readonly code: number } | null };
        assert.deepEqual(faults.splice(0), []);
        assert.equal(status, error ? 500 : 200);
        assert.notEqual(error?.code, RPC_ERROR.internal);
        parseJson(JSON.stringify(body));
      }),
      { numRuns: RUNS },
    );
    assert.ok((await chain.tip()).height >= 0);
  });
}
