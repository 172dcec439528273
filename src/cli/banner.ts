/** What a person sees once everything runs. */
import { defaultDataFolder } from './data-folder.ts';
import { DEMO_MNEMONIC } from './demo-wallet.ts';
import type { Ready } from './ready.ts';

/** `data` is the data folder, which commands need to be told unless it is the default one. */
export function banner({ version, network, ark, chain }: Ready, data: string): string {
  const suffix = data === defaultDataFolder(process.env) ? '' : ` --data ${JSON.stringify(data)}`;
  return `
  canalworks ${version} on ${network}

  Ark server        ${ark.url}
  Ark admin         ${ark.adminUrl}     (token: see "canalworks status --json")
  Block explorer    ${chain.esplora}
  Bitcoin RPC       ${chain.rpc.url}     (login: as above, or bitcoin-cli -regtest -datadir)
  Data              ${data}

  Demo wallet, with 1 BTC waiting at its boarding address. Everybody knows this phrase: play money only.
    ${DEMO_MNEMONIC}

  From another terminal
    canalworks mine 1${suffix}
    canalworks faucet ADDRESS 100000${suffix}
    canalworks note 50000${suffix}
    canalworks status${suffix}

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

  Ctrl-C ends it.
`;
}
