/**
 * The server's signer keys, the one in force and those before it. New scripts are made with the current key; what
 * stands under an older one is cosigned with that until its cutoff. After it, the server still signs with the key what
 * it enforces by itself, and lets swept VTXOs be settled, which takes no signature of its own.
 */
import { type Bytes, equal, fromHex, toHex } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import type { UnixSeconds } from '../../base/units.ts';
import type { Secp } from '../../crypto/secp.ts';
import type { Entropy } from '../../runtime/entropy.ts';
import { createSigner, type Signer } from '../../runtime/signer.ts';
import { seal, unseal } from '../../runtime/vault.ts';
import type { Db, DbTx } from '../../store/db.ts';
import type { LeafSigner } from '../protocol/leaf-spend.ts';
import type { DeprecatedSigner } from '../protocol/settings.ts';
import { malformed } from '../wire/request.ts';
import type { ArkKeys } from './keys.ts';
import { changeSigner, insertSigner, type StoredSigner, signers } from './store/signers.ts';

export interface SignerKeys {
  /** Compressed, hex: the key of new scripts. */
  current(): string;
  /** As clients are told of them, those past their cutoff included. */
  deprecated(): readonly DeprecatedSigner[];
  /** x-only: the keys that the server lends its clients now, the current one first. */
  signing(): readonly Bytes[];
  /** x-only: every key there ever was. */
  all(): readonly Bytes[];
  /** Signs with one of {@link all}. */
  signerOf(key: Bytes): LeafSigner;
  list(): readonly StoredSigner[];
  /** Makes a fresh key the current one and deprecates the one before; `cutoff` in unix seconds, 0 for none. */
  rotate(cutoff: number): Promise<string>;
  /** The same with a key that the operator brings along, or goes back to. Throws `MALFORMED_REQUEST`. */
  load(secret: Bytes, cutoff: number): Promise<string>;
  /** Gives an older key another cutoff, and tells clients of it again if it was retired. Throws `MALFORMED_REQUEST`. */
  deprecate(publicKey: string, cutoff: number): Promise<void>;
  /** Lends an older key no more and tells clients nothing of it. Throws `MALFORMED_REQUEST`. */
  retire(publicKey: string): Promise<void>;
}

export interface SignerKeysParts {
  readonly db: Db;
  readonly secp: Secp;
  readonly entropy: Entropy;
  readonly keys: ArkKeys;
  readonly nowSeconds: () => UnixSeconds;
}

interface HeldKey extends StoredSigner {
  readonly xonly: Bytes;
  readonly signer: Signer<'signer'>;
}

/** Loads the keys; a database without any gets the first one. */
export async function createSignerKeys({ db, secp, entropy, keys, nowSeconds }: SignerKeysParts): Promise<SignerKeys> {
  const stored = await signers(db);
  let held = (stored.length > 0 ? stored : [await db.write((tx) => insertDerived(tx, 0))]).map(hold);

  async function insertDerived(tx: DbTx, generation: number): Promise<StoredSigner> {
    const publicKey = toHex(secp.publicKey(keys.signer(generation)));
    return insert(tx, { publicKey, generation, sealedSecret: undefined });
  }

  async function insert(
    tx: DbTx,
    key: Pick<StoredSigner, 'publicKey' | 'generation' | 'sealedSecret'>,
  ): Promise<StoredSigner> {
    const signer: StoredSigner = { ...key, state: 'current', cutoff: 0, createdAt: nowSeconds() };
    await insertSigner(tx, signer);
    return signer;
  }

  function hold(row: StoredSigner): HeldKey {
    const secret = row.sealedSecret ? unseal(keys.vault, row.sealedSecret) : keys.signer(row.generation!);
    const signer = createSigner(secp, entropy, { signer: secret });
    invariant(toHex(signer.publicKey('signer')) === row.publicKey, `the secret of signer ${row.publicKey} is another`);
    return { ...row, xonly: fromHex(row.publicKey).slice(1), signer };
  }

  const current = (): HeldKey => held.find(({ state }) => state === 'current')!;

  async function change(work: (tx: DbTx) => Promise<void>): Promise<void> {
    const rows = await db.write(async (tx) => {
      await work(tx);
      return signers(tx);
    });
    held = rows.map(hold);
  }

  const succeed = (cutoff: number, successor: (tx: DbTx, known: readonly StoredSigner[]) => Promise<unknown>) =>
    change(async (tx) => {
      const known = await signers(tx);
      const before = known.find(({ state }) => state === 'current')!;
      await changeSigner(tx, before.publicKey, 'deprecated', cutoff);
      await successor(tx, known);
    });

  async function rotate(cutoff: number): Promise<string> {
    await succeed(cutoff, async (tx, known) => {
      const last = Math.max(...known.map(({ generation }) => generation ?? -1));
      await insertDerived(tx, last + 1);
    });
    return current().publicKey;
  }

  async function load(secret: Bytes, cutoff: number): Promise<string> {
    const publicKey = toHex(publicKeyOf(secret));
    const known = held.find(({ xonly }) => toHex(xonly) === publicKey.slice(2));
    if (known?.state === 'current') return known.publicKey;
    const sealedSecret = seal(entropy, keys.vault, secret);
    await succeed(cutoff, (tx) =>
      known
        ? changeSigner(tx, known.publicKey, 'current', 0)
        : insert(tx, { publicKey, generation: undefined, sealedSecret }),
    );
    return current().publicKey;
  }

  function publicKeyOf(secret: Bytes): Bytes {
    let key: Bytes;
    try {
      key = secp.publicKey(secret);
    } catch {
      throw malformed('not a private key');
    }
    const others = [...Object.values(keys.fixed), keys.delegate].map((own) => secp.publicKey(own));
    const isFree = others.every((other) => !equal(other.slice(1), key.slice(1)));
    if (!isFree) throw malformed('this key has another purpose in this server');
    return key;
  }

  const older = (publicKey: string): HeldKey => {
    const key = held.find((candidate) => candidate.publicKey === publicKey.toLowerCase());
    if (!key) throw malformed(`there is no signer ${publicKey}`);
    if (key.state === 'current') throw malformed('this is the current signer: rotate to another one first');
    return key;
  };

  const isLent = ({ state, cutoff }: StoredSigner): boolean =>
    state === 'current' || (state === 'deprecated' && (cutoff === 0 || nowSeconds() <= cutoff));

  return {
    current: () => current().publicKey,
    deprecated: () =>
      held
        .filter(({ state }) => state === 'deprecated')
        .map(({ publicKey, cutoff }) => ({ publicKey, cutoff }))
        .sort((a, b) => (a.publicKey < b.publicKey ? -1 : 1)),
    signing: () => [current(), ...held.filter((key) => key.state !== 'current' && isLent(key))].map((key) => key.xonly),
    all: () => held.map(({ xonly }) => xonly),
    signerOf(key) {
      const own = held.find(({ xonly }) => equal(xonly, key));
      invariant(own, 'the server signs with its own keys');
      return { publicKey: own.xonly, sign: (message) => own.signer.sign('signer', message) };
    },
    list: () => held.map(({ xonly: _, signer: __, ...stored }) => stored),
    rotate,
    load,
    deprecate: (publicKey, cutoff) => {
      const key = older(publicKey);
      return change((tx) => changeSigner(tx, key.publicKey, 'deprecated', cutoff));
    },
    retire: (publicKey) => {
      const key = older(publicKey);
      return change((tx) => changeSigner(tx, key.publicKey, 'retired', key.cutoff));
    },
  };
}
