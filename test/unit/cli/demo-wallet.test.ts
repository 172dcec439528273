import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MnemonicIdentity } from '@arkade-os/sdk';
import { toHex } from '../../../src/base/bytes.ts';
import { DEMO_MNEMONIC, demoKey } from '../../../src/cli/demo-wallet.ts';

test('the demo wallet is the one that the Arkade SDK opens with the phrase', async () => {
  const identity = MnemonicIdentity.fromMnemonic(DEMO_MNEMONIC, { isMainnet: false });
  assert.equal(toHex(demoKey('regtest')), toHex(await identity.xOnlyPublicKey()));
});
