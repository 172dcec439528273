/** What every service of the Ark server is given. Built once, in `server.ts`. */
import type { Bytes } from '../../base/bytes.ts';
import type { UnixSeconds } from '../../base/units.ts';
import type { Chain } from '../../chain/chain.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Entropy } from '../../runtime/entropy.ts';
import type { Log } from '../../runtime/log.ts';
import type { Signer } from '../../runtime/signer.ts';
import type { Db } from '../../store/db.ts';
import type { ArkPublicKeys, ArkSettings } from '../protocol/settings.ts';
import type { ArkKeyName } from './keys.ts';
import type { ArkMetrics } from './metrics.ts';
import type { SignerKeys } from './signer-keys.ts';
import type { ServerWallet } from './wallet.ts';

export interface ArkContext {
  readonly db: Db;
  readonly chain: Chain;
  readonly secp: Secp;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly metrics: ArkMetrics;
  readonly signer: Signer<ArkKeyName>;
  readonly wallet: ServerWallet;
  readonly publicKeys: ArkPublicKeys;
  /** The keys under which the server cosigns VTXOs. */
  readonly signers: SignerKeys;
  /** Where forfeits pay to. */
  readonly forfeitScript: Bytes;
  /** The current settings: an operator may change them while the server runs. */
  settings(): ArkSettings;
  nowSeconds(): UnixSeconds;
  /** A fresh random UUID. */
  newId(): string;
}
