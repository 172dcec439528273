/** Every call of the public API by name: the server mounts this table, a client builds its requests from it. */

export interface Route {
  readonly method: 'GET' | 'POST';
  /** With `:name` for path parameters. */
  readonly path: string;
}

const get = (path: string): Route => ({ method: 'GET', path });
const post = (path: string): Route => ({ method: 'POST', path });

export const ARK_ROUTES = {
  getInfo: get('/v1/info'),
  registerIntent: post('/v1/batch/registerIntent'),
  estimateFee: post('/v1/batch/estimateFee'),
  deleteIntent: post('/v1/batch/deleteIntent'),
  intent: get('/v1/intent'),
  intents: post('/v1/intent'),
  confirmRegistration: post('/v1/batch/ack'),
  submitTreeNonces: post('/v1/batch/tree/submitNonces'),
  submitTreeSignatures: post('/v1/batch/tree/submitSignatures'),
  submitForfeitTxs: post('/v1/batch/submitForfeitTxs'),
  batchEvents: get('/v1/batch/events'),
  updateTopics: post('/v1/batch/updateTopics'),
  submitTx: post('/v1/tx/submit'),
  finalizeTx: post('/v1/tx/finalize'),
  pendingTxs: post('/v1/tx/pending'),
  txs: get('/v1/txs'),
} as const satisfies Record<string, Route>;

export const INDEXER_ROUTES = {
  commitmentTx: get('/v1/indexer/commitmentTx/:txid'),
  connectors: get('/v1/indexer/commitmentTx/:txid/connectors'),
  forfeitTxs: get('/v1/indexer/commitmentTx/:txid/forfeitTxs'),
  vtxoTree: get('/v1/indexer/batch/:txid/:vout/tree'),
  vtxoTreeLeaves: get('/v1/indexer/batch/:txid/:vout/tree/leaves'),
  sweepTxs: get('/v1/indexer/batch/:txid/:vout/sweepTxs'),
  vtxos: get('/v1/indexer/vtxos'),
  vtxoChain: get('/v1/indexer/vtxo/:txid/:vout/chain'),
  virtualTxs: get('/v1/indexer/virtualTx/:txids'),
  asset: get('/v1/indexer/asset/:assetId'),
  subscribe: post('/v1/indexer/script/subscribe'),
  unsubscribe: post('/v1/indexer/script/unsubscribe'),
  subscription: get('/v1/indexer/script/subscription/:id'),
  newSubscription: get('/v1/indexer/subscription'),
  updateSubscription: post('/v1/indexer/subscription/update'),
} as const satisfies Record<string, Route>;

/** The operator's calls that arkd does not have; the others are annotated in the protobufs. */
export const ADMIN_ROUTES = {
  reserve: get('/v1/admin/wallet/reserve'),
  signers: get('/v1/admin/signer'),
  rotateSigner: post('/v1/admin/signer/rotate'),
  deprecateSigner: post('/v1/admin/signer/deprecate'),
  retireSigner: post('/v1/admin/signer/retire'),
  withdrawals: get('/v1/admin/wallet/withdrawals'),
  liquidityReport: get('/v1/admin/liquidity/report'),
} as const satisfies Record<string, Route>;
