/**
 * What an owner keeps of each VTXO, so that it can leave when the server is gone for good: the signed transactions from
 * the chain down to it, and the closures behind its script. Ancestors that several VTXOs share are kept once.
 */
import { type Bytes, type Outpoint, outpointKey, type Txid } from '../../base/bytes.ts';
import { parse, print } from '../../base/codec.ts';
import type { Records } from '../../base/records.ts';
import { parseTx, type Tx, type TxOut, txHex, txidOf } from '../../bitcoin/tx.ts';
import { lineageOf } from '../../txgraph/lineage.ts';
import type { EquivocationProof } from './equivocation.ts';
import type { LineageRoot } from './verify-lineage.ts';

export interface KeptVtxo {
  readonly outpoint: Outpoint;
  readonly output: TxOut;
  /** Leaves of its script. */
  readonly tapTree: readonly Bytes[];
  readonly roots: readonly LineageRoot[];
  /** Compressed key in hex that cosigned its batch for the owner. */
  readonly cosigner?: string | undefined;
  /** What its exit leaf's condition takes, where it has one. */
  readonly condition?: readonly Bytes[] | undefined;
  /** The commitment or ark transaction by which the owner itself gave it away. */
  readonly spentBy?: Txid | undefined;
}

export interface ExitData extends KeptVtxo {
  /** Signed, parents before children. */
  readonly txs: readonly Tx[];
}

export interface ExitStore {
  /** Durable once it resolves. */
  keep(data: ExitData): Promise<void>;
  get(outpoint: Outpoint): Promise<ExitData | undefined>;
  list(): Promise<readonly KeptVtxo[]>;
  /** Notes that the owner gave VTXOs away. What is not kept is passed over. */
  markSpent(outpoints: readonly Outpoint[], by: Txid): Promise<void>;
  /** Lets go of VTXOs, and of transactions that no other one needs. */
  forget(outpoints: readonly Outpoint[]): Promise<void>;
  keepProof(proof: EquivocationProof): Promise<void>;
  proofs(): Promise<readonly EquivocationProof[]>;
}

/** Of the JSON below. */
const VERSION = 1;
const TX = 'tx/';
const VTXO = 'vtxo/';
const PROOF = 'proof/';
const vtxoName = (outpoint: Outpoint): string => VTXO + outpointKey(outpoint);

export function createExitStore(records: Records): ExitStore {
  async function readAll<T>(prefix: string, read: (text: string) => T): Promise<T[]> {
    const names = await records.names(prefix);
    const texts = await Promise.all(names.map((name) => records.read(name)));
    return texts.flatMap((text) => (text === undefined ? [] : [read(text)]));
  }
  const list = (): Promise<KeptVtxo[]> => readAll(VTXO, (text) => parse<KeptVtxo>(VERSION, text));

  /** All that is kept of the transactions above `txid`, itself included. */
  async function ancestors(txid: Txid, known: Map<Txid, Tx>): Promise<ReadonlyMap<Txid, Tx>> {
    for (let wanted = [txid]; wanted.length > 0; ) {
      const texts = await Promise.all(wanted.map((each) => records.read(TX + each)));
      const found = texts.flatMap((text) => (text === undefined ? [] : [parseTx(text)]));
      for (const tx of found) known.set(txidOf(tx), tx);
      const parents = found.flatMap(({ inputs }) => inputs.map(({ prevout }) => prevout.txid));
      wanted = [...new Set(parents)].filter((each) => !known.has(each));
    }
    return known;
  }

  async function get(outpoint: Outpoint): Promise<ExitData | undefined> {
    const text = await records.read(vtxoName(outpoint));
    if (text === undefined) return undefined;
    const known = await ancestors(outpoint.txid, new Map());
    return { ...parse<KeptVtxo>(VERSION, text), txs: lineageOf(outpoint.txid, (txid) => known.get(txid)).txs };
  }

  return {
    get,
    list,
    async keep({ txs, ...vtxo }) {
      const changes = new Map(txs.map((tx) => [TX + txidOf(tx), txHex(tx)]));
      await records.write(changes.set(vtxoName(vtxo.outpoint), print(VERSION, vtxo)));
    },
    async markSpent(outpoints, by) {
      const changes = new Map<string, string>();
      for (const outpoint of outpoints) {
        const text = await records.read(vtxoName(outpoint));
        if (text) changes.set(vtxoName(outpoint), print(VERSION, { ...parse<KeptVtxo>(VERSION, text), spentBy: by }));
      }
      await records.write(changes);
    },
    async forget(outpoints) {
      const gone = new Set(outpoints.map(outpointKey));
      const needed = new Map<Txid, Tx>();
      const left = (await list()).filter(({ outpoint }) => !gone.has(outpointKey(outpoint)));
      for (const { outpoint } of left) if (!needed.has(outpoint.txid)) await ancestors(outpoint.txid, needed);
      const idle = (await records.names(TX)).filter((name) => !needed.has(name.slice(TX.length) as Txid));
      const names = [...outpoints.map(vtxoName), ...idle];
      await records.write(new Map(names.map((name) => [name, undefined])));
    },
    keepProof: (proof) => records.write(new Map([[PROOF + proof.outpoint, print(VERSION, proof)]])),
    proofs: () => readAll(PROOF, (text) => parse<EquivocationProof>(VERSION, text)),
  };
}
