/** Requests of every form, good and bad, at our door and at bitcoind's. */
import assert from 'node:assert/strict';
import { courtTest } from '../support/rpc-judge.ts';

/** Bodies as clients send them, good and bad. */
const BODIES: readonly string[] = [
  '{"method":"getblockcount"}',
  '{"jsonrpc":"1.0","id":"curl","method":"getblockcount","params":[]}',
  '{"version":"1.1","id":1.50,"method":"getblockcount"}',
  '{"jsonrpc":"2.0","id":1,"method":"getblockcount"}',
  '{"jsonrpc":"2.0","method":"getblockcount"}',
  '{"jsonrpc":"2.0","id":null,"method":"getblockcount"}',
  '{"jsonrpc":"2.0","id":1,"method":"nope"}',
  '{"jsonrpc":"2.0","id":1,"method":"getblockhash","params":[-1]}',
  '{"jsonrpc":"2.0","id":1}',
  '{"jsonrpc":"2.0"}',
  '{"id":1,"method":"nope"}',
  '{"id":{"a":[1.0,null]},"method":"getblockcount","params":null}',
  'xx',
  '',
  '5',
  '""',
  'null',
  '[]',
  '[1,{"method":"getblockcount","id":[1]},{"jsonrpc":"2.0","method":"getblockcount"},{"method":"nope","id":2}]',
  '[{"jsonrpc":"2.0","method":"getblockcount"}]',
  '{"method":1,"id":1}',
  '{"id":1}',
  '{"method":"getblockcount","params":3}',
  '{"method":"getblockhash","params":["a"]}',
  '{"method":"getblockhash","params":[null]}',
  '{"method":"getblockhash","params":[999]}',
  '{"method":"getblockhash","params":[1.5]}',
  '{"method":"getblockhash","params":[1e1]}',
  '{"method":"getblockhash","params":[99999999999999]}',
  '{"method":"getblockhash","params":{"height":0}}',
  '{"method":"getblockhash","params":{"hight":0}}',
  '{"method":"getblockhash","params":{"args":[1]}}',
  '{"method":"getblockhash","params":{"args":[1],"height":0}}',
  '{"method":"getblock","params":["ab"]}',
  `{"method":"getblock","params":["${'z'.repeat(64)}"]}`,
  `{"method":"getblock","params":["${'0'.repeat(64)}"]}`,
  `{"method":"getblock","params":["${'0'.repeat(64)}",{}]}`,
  `{"method":"getblockheader","params":["${'0'.repeat(64)}"]}`,
  `{"method":"getblockheader","params":["${'0'.repeat(64)}",1]}`,
  '{"method":"getblockstats","params":[5000]}',
  '{"method":"getblockstats","params":[1,["nonsense"]]}',
  `{"method":"getrawtransaction","params":["${'0'.repeat(64)}"]}`,
  `{"method":"getrawtransaction","params":["${'0'.repeat(64)}",1,"${'0'.repeat(64)}"]}`,
  '{"method":"getrawtransaction","params":["4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"]}',
  '{"method":"decoderawtransaction","params":["00"]}',
  '{"method":"decoderawtransaction","params":["xyz"]}',
  '{"method":"sendrawtransaction","params":["00"]}',
  '{"method":"sendrawtransaction","params":[""]}',
  '{"method":"testmempoolaccept","params":[[]]}',
  '{"method":"testmempoolaccept","params":["00"]}',
  '{"method":"submitpackage","params":[[]]}',
  '{"method":"submitblock","params":["00"]}',
  '{"method":"submitblock","params":["zz"]}',
  `{"method":"getmempoolentry","params":["${'0'.repeat(64)}"]}`,
  `{"method":"getmempoolancestors","params":["${'0'.repeat(64)}"]}`,
  '{"method":"getrawmempool","params":[true,true]}',
  `{"method":"gettxout","params":["${'0'.repeat(64)}",0]}`,
  '{"method":"scantxoutset","params":["start"]}',
  '{"method":"scantxoutset","params":["nonsense"]}',
  '{"method":"scantxoutset","params":["start",["addr(xyz)"]]}',
  '{"method":"scantxoutset","params":["start",["raw(00)#aaaaaaaa"]]}',
  '{"method":"scantxoutset","params":["start",[5]]}',
  '{"method":"generatetoaddress","params":[1,"xyz"]}',
  '{"method":"generateblock","params":["xyz",[]]}',
  '{"method":"invalidateblock","params":["ab"]}',
  `{"method":"invalidateblock","params":["${'0'.repeat(64)}"]}`,
  `{"method":"reconsiderblock","params":["${'0'.repeat(64)}"]}`,
  '{"method":"estimatesmartfee","params":[0]}',
  '{"method":"estimatesmartfee","params":[2000]}',
  '{"method":"validateaddress","params":[1]}',
  '{"method":"help","params":["nonsense"]}',
];

courtTest('requests of every form, good and bad, are answered as by bitcoind', async ({ door, judge }) => {
  const found: string[] = [];
  for (const body of BODIES) {
    const [ours, theirs] = [await door.post(body), await judge.post(body)];
    if (ours.status === theirs.status && ours.text.trim() === theirs.text.trim()) continue;
    found.push(`${body}: ${ours.status} ${ours.text.trim()} | ${theirs.status} ${theirs.text.trim()}`);
  }
  assert.deepEqual(found, []);
});
