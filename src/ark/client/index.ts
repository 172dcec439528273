/** The lean Ark client, as `canalworks/ark/client`: runs in browsers and wherever there is `fetch`. See docs/ark-client.md. */
export {
  type Bytes,
  fromHex,
  type Outpoint,
  type OutpointKey,
  outpointKey,
  parseOutpoint,
  parseTxid,
  type Txid,
  toHex,
} from '../../base/bytes.ts';
export { ProtocolError } from '../../base/errors.ts';
export { createMemoryRecords, type Records } from '../../base/records.ts';
export { type FeeRate, feeRate } from '../../base/units.ts';
export { addressOf, type Network, parseAddress } from '../../bitcoin/address.ts';
export type { RelativeTimelock } from '../../bitcoin/timelock.ts';
export { parseTx, type Tx, type TxOut, txHex, txidOf } from '../../bitcoin/tx.ts';
export { noble as referenceSecp } from '../../crypto/noble.ts';
export type { Secp } from '../../crypto/secp.ts';
export { type ArkAddress, parseArkAddress, printArkAddress } from '../protocol/address.ts';
export { type Note, parseNote } from '../protocol/note.ts';
export { type VtxoScript, vtxoScript } from '../protocol/vtxo.ts';
export {
  type Account,
  type Coin,
  type CoinKind,
  coinOf,
  coinOfNote,
  createAccount,
} from './account.ts';
export { arrivals } from './arrivals.ts';
export { deleteIntent, settle } from './batch.ts';
export type { BatchOrder, BatchOutcome, NewCoin } from './batch-session.ts';
export type { ChainSource, Placed, SourceCoin, SourceSpend, SourceTip, SourceTx } from './chain-source.ts';
export { exitLeafOf } from './claim.ts';
export { type ArkClient, type ClientParts, connect, createAggregators } from './client.ts';
export { type EquivocationProof, isEquivocation } from './equivocation.ts';
export type { ClientError, ClientErrorCode } from './errors.ts';
export { createEsploraSource } from './esplora.ts';
export { advanceExit, type ExitParts, type ExitState, exit } from './exit.ts';
export { createExitStore, type ExitData, type ExitStore, type KeptVtxo } from './exit-store.ts';
export { createFeeWallet, type FeeWallet } from './fee-wallet.ts';
export { FINDINGS, type Finding, type FindingCode, type Weight } from './finding.ts';
export { type Advice, createKeeper, type Holding, type Keeper, type KeeperParts, type Sync } from './keeper.ts';
export { type Life, MARGINS, type Margins } from './life.ts';
export { LINEAGE_LIMITS, type LineageLimits } from './lineage.ts';
export { type Paid, resumePayments, send } from './offchain.ts';
export { estimateFee, leavingOrder, renewalOrder } from './orders.ts';
export { type Crowd, type CrowdQuote, type ExitQuote, type QuoteRequest, quoteExit } from './quote.ts';
export type { ServerTerms } from './terms.ts';
export { createTransport, type Fetch, type Transport } from './transport.ts';
export { type Standing, type VerifyOptions, type VtxoReport, verifyVtxo } from './verify.ts';
export { type ReportedVtxo, spendableCoins, type VtxoFilter, vtxosOf } from './vtxos.ts';
export { createWarySource } from './wary-source.ts';
