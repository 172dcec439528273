/** A delegator beside the server of a world, and owners who hand it their VTXOs. */
import { type Coin, signerOf } from '../../src/ark/client/account.ts';
import { settle } from '../../src/ark/client/batch.ts';
import type { Transport } from '../../src/ark/client/transport.ts';
import { DELEGATED_SIGHASH, type DelegationRequest } from '../../src/ark/protocol/delegation.ts';
import { buildIntentProof } from '../../src/ark/protocol/intent.ts';
import { printIntentMessage, type RegisterMessage } from '../../src/ark/protocol/intent-message.ts';
import { leafFields, leafOfVtxo, signLeaf, signLeaves } from '../../src/ark/protocol/leaf-spend.ts';
import { delegateVtxo, type VtxoScript } from '../../src/ark/protocol/vtxo.ts';
import { createDelegator, type Delegator } from '../../src/ark/server/delegator/delegator.ts';
import { toHex } from '../../src/base/bytes.ts';
import { type Sats, sats } from '../../src/base/units.ts';
import { parseAddress } from '../../src/bitcoin/address.ts';
import { ANCHOR, TRUC_VERSION } from '../../src/bitcoin/package.ts';
import { createPsbt, EMPTY_INPUT, type Psbt, prevoutsOf, psbtBase64 } from '../../src/bitcoin/psbt.ts';
import { SIGHASH } from '../../src/bitcoin/sighash.ts';
import { type TxOut, txIn } from '../../src/bitcoin/tx.ts';
import { createManualEntropy } from '../../src/runtime/entropy.ts';
import { createLog, silentLog } from '../../src/runtime/log.ts';
import { createMetrics } from '../../src/runtime/metrics.ts';
import { createLife, mortalClock, mortalDb } from './mortal.ts';
import { type Crash, secp, type User, type World } from './world.ts';

const SECRET = new Uint8Array(32).fill(0x64);
export const DELEGATE = toHex(secp.publicKey(SECRET));

export interface DelegatorOptions {
  readonly fee?: Sats;
  /** Stands between the delegator and the server. */
  readonly lying?: (transport: Transport) => Transport;
  readonly crash?: Crash;
  readonly verbose?: boolean;
}

export interface MortalDelegator extends Delegator {
  readonly isDead: boolean;
  kill(): void;
}

let made = 0;

/** One that works on the server's database; another one made later goes on where it stopped. */
export async function delegatorOf(w: World, options: DelegatorOptions = {}): Promise<MortalDelegator> {
  const { fee = sats(0), lying = (honest) => honest, crash, verbose = false } = options;
  const life = createLife();
  let writes = 0;
  const onWrite = (when: Crash['when']): void => {
    if (when === 'before') writes++;
    if (crash?.when === when && crash.write <= writes) life.end();
  };
  const honest: Transport = {
    call: (call) => life.during(() => w.transport.call(call)),
    open: (call) => life.during(() => w.transport.open(call)),
  };
  const delegator = createDelegator({
    db: mortalDb(life, w.db, onWrite),
    chain: w.chain,
    clock: mortalClock(life, w.clock),
    entropy: createManualEntropy(`delegator ${made++}`),
    log: verbose ? createLog('debug') : silentLog,
    secp,
    transport: lying(honest),
    secret: SECRET,
    fee,
    metrics: createMetrics(),
    payoutScript: parseAddress('regtest', w.server.walletAddress),
  });
  await delegator.start();
  return {
    ...delegator,
    get isDead() {
      return life.isOver;
    },
    kill: () => life.end(),
  };
}

/** Where an owner keeps VTXOs that the delegate may renew. */
export const delegatedScript = ({ account, client }: User): VtxoScript =>
  delegateVtxo(
    secp,
    account.publicKey,
    secp.publicKey(SECRET).slice(1),
    client.terms.signer,
    client.terms.unilateralExitDelay,
  );

const LEAF = { owner: 0, delegate: 2 } as const;

/** A VTXO under the owner's delegated script, proven by the leaf with the delegate or the one without. */
export function delegatedCoin(
  user: User,
  { outpoint, amount }: Pick<Coin, 'outpoint' | 'amount'>,
  by: keyof typeof LEAF = 'owner',
): Coin {
  const vtxo = delegatedScript(user);
  const leaf = leafOfVtxo(vtxo, vtxo.scripts[LEAF[by]]!)!;
  return { kind: 'vtxo', outpoint, amount, script: vtxo.script, leaf, tapTree: vtxo.scripts };
}

/** Settles a note of `amount` into a VTXO that the delegate may renew. */
export async function fundDelegated(w: World, user: User, amount: number, by?: keyof typeof LEAF): Promise<Coin> {
  const coin = await w.note(user, amount);
  user.pocket.length = 0;
  const receivers = [{ value: BigInt(amount), script: delegatedScript(user).script }];
  const { vtxos } = await w.run(settle(user.client, user.account, { coins: [coin], receivers, onchain: [] }));
  return delegatedCoin(user, { outpoint: vtxos[0]!.outpoint, amount: BigInt(amount) }, by);
}

export interface Plan {
  readonly coins: readonly Coin[];
  /** Back to the owner's own script, all in one, if absent. */
  readonly outputs?: readonly TxOut[];
  readonly validAt?: number;
  readonly message?: Partial<RegisterMessage>;
  readonly sighash?: number;
  /** Changes each forfeit before the owner signs it. */
  readonly forge?: (forfeit: Psbt) => Psbt;
}

export const homeOf = (user: User, coins: readonly Coin[]): TxOut => ({
  value: coins.reduce((sum, { amount }) => sum + amount, 0n),
  script: delegatedScript(user).script,
});

/** What an owner signs before going to sleep. */
export function delegationOf(user: User, plan: Plan): DelegationRequest {
  const {
    coins,
    outputs = [homeOf(user, coins)],
    validAt = 0,
    sighash = DELEGATED_SIGHASH,
    forge = (psbt) => psbt,
  } = plan;
  const { client, account } = user;
  const message = printIntentMessage({
    type: 'register',
    onchainOutputIndexes: [],
    validAt,
    expireAt: 0,
    cosignersPublicKeys: [DELEGATE],
    ...plan.message,
  });
  const proof = buildIntentProof(message, coins, outputs);
  const vtxo = delegatedScript(user);
  const leaf = leafOfVtxo(vtxo, vtxo.scripts[LEAF.delegate]!)!;
  const forfeits = coins.map(({ outpoint, amount, script }) => {
    const tx = {
      version: TRUC_VERSION,
      inputs: [txIn(outpoint)],
      outputs: [{ value: amount + client.terms.dust, script: client.terms.forfeitScript }, ANCHOR],
      locktime: 0,
    };
    const spending = { ...EMPTY_INPUT, ...leafFields(leaf), witnessUtxo: { value: amount, script } };
    const psbt = forge(createPsbt(tx, [spending]));
    return psbtBase64(signLeaf(psbt, 0, prevoutsOf(psbt)!, leaf, signerOf(client, account), sighash));
  });
  return {
    message,
    proof: psbtBase64(signLeaves(secp, proof, account.secret, client.random(32), SIGHASH.ALL)),
    forfeits,
  };
}

/** State and outcome of every delegation, oldest first. */
export async function delegations({ db }: World): Promise<{ state: string; outcome: string | null }[]> {
  const rows = await db.read('select state, outcome from ark_delegation order by created_at, due_at, id');
  return rows.map(({ state, outcome }) => ({ state: state as string, outcome: outcome as string | null }));
}

export const states = async (w: World): Promise<string[]> => (await delegations(w)).map(({ state }) => state).sort();

/** Unspent VTXOs of the owner's delegated script, in satoshi. */
export async function renewable(w: World, user: User): Promise<{ outpoint: string; amount: bigint }[]> {
  const rows = await w.db.read(
    'select outpoint, amount from ark_vtxo where script = $1 and spent_by is null order by amount',
    [toHex(delegatedScript(user).script)],
  );
  return rows.map(({ outpoint, amount }) => ({ outpoint: outpoint as string, amount: amount as bigint }));
}
