/**
 * What the members of a batch owe before it may settle: a signed forfeit for each VTXO they give up, a signature on the
 * commitment transaction for each boarding input. All verified on arrival, in full.
 */
import { equal, fromHex, type OutpointKey, outpointKey, parseOutpoint } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import { parsePsbt, prevoutsOf, psbtBase64, type TapScriptSig } from '../../bitcoin/psbt.ts';
import { SIGHASH } from '../../bitcoin/sighash.ts';
import { txidOf } from '../../bitcoin/tx.ts';
import type { Tip } from '../../chain/chain.ts';
import { demand, reading } from '../protocol/errors.ts';
import { type Coin, type ForfeitedCoin, parseForfeit } from '../protocol/forfeit.ts';
import { type ClosureLeaf, keysBesides, leafOfVtxo, signatureFault } from '../protocol/leaf-spend.ts';
import { vtxoScript } from '../protocol/vtxo.ts';
import { type BuiltBatch, isBoarding, mayForfeit, owesForfeit } from './batch-build.ts';
import type { ArkContext } from './context.ts';
import type { RegisteredInput } from './registration.ts';
import type { Forfeit } from './store/batches.ts';
import type { StoredIntent } from './store/intents.ts';

export interface Debts {
  /** Takes signed forfeits (base64). Returns the VTXOs that owed one and are paid for. Throws `INVALID_FORFEIT_TXS`, keeping none of them. */
  receiveForfeits(psbts: readonly string[], tip: Tip): readonly OutpointKey[];
  /**
   * Takes the commitment PSBT as a boarding user signed it. Returns the inputs it signs.
   * Throws `INVALID_BOARDING_INPUT_SIG`, keeping none of them.
   */
  receiveCommitment(psbt: string): readonly OutpointKey[];
  forfeits(): readonly Forfeit[];
  boardingSigs(): ReadonlyMap<string, readonly TapScriptSig[]>;
}

/** A boarding input's leaf, as its owner proved it. */
export function boardingLeaf(ctx: ArkContext, input: RegisteredInput): ClosureLeaf {
  const leaf = leafOfVtxo(vtxoScript(ctx.secp, input.leaves.map(fromHex)), fromHex(input.leaf));
  invariant(leaf, 'a registered boarding input proves one of its leaves');
  return leaf;
}

const coinOf = ({ outpoint, amount, script, condition }: RegisteredInput): ForfeitedCoin => ({
  outpoint: parseOutpoint(outpoint),
  value: amount,
  script: fromHex(script),
  condition: condition?.map(fromHex),
});

export function createDebts(ctx: ArkContext, intents: readonly StoredIntent[], built: BuiltBatch): Debts {
  const inputs = intents.flatMap(({ id, intent }) => intent.inputs.map((input) => ({ intentId: id, input })));
  const owner = new Map(inputs.map(({ intentId, input }) => [input.outpoint, intentId]));
  const vtxos = inputs.filter(({ input }) => mayForfeit(input)).map(({ input }) => coinOf(input));
  const owed = new Set(inputs.filter(({ input }) => owesForfeit(input)).map(({ input }) => input.outpoint));
  const boardings = new Map(
    inputs.filter(({ input }) => isBoarding(input)).map(({ input }) => [input.outpoint, input]),
  );
  const connectors: readonly Coin[] = [...built.connectors.values()].flat();
  const forfeits = new Map<OutpointKey, Forfeit>();
  const signatures = new Map<OutpointKey, readonly TapScriptSig[]>();

  function readForfeit(text: string, tip: Tip): Forfeit {
    const forfeit = parseForfeit(ctx.secp, text, {
      vtxos,
      connectors,
      forfeitScript: ctx.forfeitScript,
      signers: ctx.signers.all(),
      tip,
    });
    const outpoint = outpointKey(forfeit.vtxo.outpoint);
    const connector = outpointKey(forfeit.connector.outpoint);
    const own = built.connectors.get(owner.get(outpoint)!) ?? [];
    const mayUse = own.some((candidate) => outpointKey(candidate.outpoint) === connector);
    demand(mayUse, 'INVALID_FORFEIT_TXS', `connector ${connector} belongs to another intent`);
    return { outpoint, connector, txid: txidOf(forfeit.psbt.tx), psbt: psbtBase64(forfeit.psbt) };
  }

  function signaturesIn(text: string): Map<OutpointKey, readonly TapScriptSig[]> {
    const psbt = reading('INVALID_BOARDING_INPUT_SIG', {}, () => parsePsbt(text));
    const same = txidOf(psbt.tx) === built.commitmentTxid;
    demand(same, 'INVALID_BOARDING_INPUT_SIG', 'this is not the commitment transaction of the running batch');
    // Signatures are checked against what we know of the outputs spent, whatever the sender's PSBT says of them.
    const ours = built.commitment.psbt;
    const prevouts = prevoutsOf(ours)!;
    const found = new Map<OutpointKey, readonly TapScriptSig[]>();
    ours.tx.inputs.forEach(({ prevout }, index) => {
      const boarding = boardings.get(outpointKey(prevout));
      const sigs = psbt.inputs[index]!.tapScriptSigs;
      if (!boarding || sigs.length === 0) return;
      const leaf = boardingLeaf(ctx, boarding);
      const required = keysBesides(leaf.closure, ctx.signers.all());
      const owners = sigs.filter((sig) => required.some((key) => equal(key, sig.publicKey)));
      const signed = {
        ...ours,
        inputs: ours.inputs.map((input, i) => (i === index ? { ...input, tapScriptSigs: owners } : input)),
      };
      const rules = { required, sighashes: [SIGHASH.DEFAULT, SIGHASH.ALL] };
      const fault = signatureFault(ctx.secp, signed, index, prevouts, leaf, rules);
      demand(!fault, 'INVALID_BOARDING_INPUT_SIG', `${fault} signature on boarding input ${boarding.outpoint}`);
      found.set(boarding.outpoint, owners);
    });
    demand(found.size > 0, 'INVALID_BOARDING_INPUT_SIG', 'no boarding input of this batch is signed');
    return found;
  }

  return {
    receiveForfeits(psbts, tip) {
      const read = psbts.map((text) => readForfeit(text, tip));
      const used = new Map([...forfeits.values()].map((forfeit) => [forfeit.connector, forfeit.outpoint]));
      for (const { outpoint, connector } of read) {
        const user = used.get(connector);
        const free = user === undefined || user === outpoint;
        demand(free, 'INVALID_FORFEIT_TXS', `connector ${connector} is used more than once`);
        used.set(connector, outpoint);
      }
      const fresh = read.filter(({ outpoint }) => !forfeits.has(outpoint));
      for (const forfeit of fresh) forfeits.set(forfeit.outpoint, forfeit);
      return fresh.map(({ outpoint }) => outpoint).filter((outpoint) => owed.has(outpoint));
    },
    receiveCommitment(text) {
      const fresh = [...signaturesIn(text)].filter(([outpoint]) => !signatures.has(outpoint));
      for (const [outpoint, sigs] of fresh) signatures.set(outpoint, sigs);
      return fresh.map(([outpoint]) => outpoint);
    },
    forfeits: () => [...forfeits.values()],
    boardingSigs: () => signatures,
  };
}
