/** What a person sees once everything runs. */
import { defaultDataFolder } from './data-folder.ts';
import { DEMO_MNEMONIC } from './demo-wallet.ts';
import type { Ready } from './ready.ts';

/** How the demo wallet is opened; everybody knows its phrase, so there is one on regtest only. */
const demo = ({
  ark,
  chain,
}: Ready): string => `  Demo wallet, with 1 BTC waiting at its boarding address. Everybody knows this phrase: play money only.
    ${DEMO_MNEMONIC}

  With the Arkade SDK (npm install @arkade-os/sdk eventsource)
    import { EventSource } from 'eventsource';
    globalThis.EventSource = EventSource;
    const sdk = await import('@arkade-os/sdk');
    const wallet = await sdk.Wallet.create({
      identity: sdk.MnemonicIdentity.fromMnemonic('${DEMO_MNEMONIC}', { isMainnet: false }),
      arkServerUrl: '${ark.url}',
      esploraUrl: '${chain.esplora}',
      storage: {
        walletRepository: new sdk.InMemoryWalletRepository(),
        contractRepository: new sdk.InMemoryContractRepository(),
      },
    });
    await new sdk.Ramps(wallet).onboard((await wallet.arkProvider.getInfo()).fees);
    console.log(await wallet.getBalance());

`;

/** `data` is the data folder, which commands need to be told unless it is the default one. */
export function banner(ready: Ready, data: string): string {
  const { version, network, ark, chain } = ready;
  const isRegtest = network === 'regtest';
  const suffix = [
    ...(data === defaultDataFolder(process.env) ? [] : [` --data ${JSON.stringify(data)}`]),
    ...(isRegtest ? [] : [` --network ${network}`]),
  ].join('');
  const commands = [...(isRegtest ? ['mine 1', 'faucet ADDRESS 100000'] : []), 'note 50000', 'status'];
  const login = chain.kind === 'embedded' ? '     (login: as above, or bitcoin-cli -regtest -datadir)' : '';
  return `
  canalworks ${version} on ${network}

  Ark server        ${ark.url}
  Ark admin         ${ark.adminUrl}     (token: see "canalworks status --json")
  Delegator         ${ark.delegatorUrl}
  Block explorer    ${chain.esplora}
  Bitcoin RPC       ${chain.rpc.url}${login}
  Data              ${data}

  From another terminal
${commands.map((command) => `    canalworks ${command}${suffix}\n`).join('')}
${isRegtest ? demo(ready) : ''}  Ctrl-C ends it.
`;
}
