/** A process that works on a chain at the path given and says what is done, until somebody kills it. */
import { sats } from '../../src/base/units.ts';
import { openBlockFile } from '../../src/chain/regtest/block-file.ts';
import { createRegtestChain } from '../../src/chain/regtest/chain.ts';
import { loadSecp } from '../../src/runtime/secp-wasm.ts';

const store = openBlockFile(process.argv[2]!);
const chain = createRegtestChain({ secp: await loadSecp(), now: () => Math.floor(Date.now() / 1000), store });
for (let round = 0; ; round++) {
  const txid = await chain.faucet(chain.faucetScript, sats(10_000));
  process.stdout.write(`tx ${txid}\n`);
  if (round % 5 !== 4) continue;
  const [hash] = await chain.mine(1);
  process.stdout.write(`block ${hash}\n`);
}
