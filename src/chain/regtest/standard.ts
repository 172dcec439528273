/** What bitcoind's mempool calls standard, in a transaction by itself and in how it spends. */
import type { Bytes } from '../../base/bytes.ts';
import { isP2A, isP2SH, isPushOnly, witnessProgram } from '../../bitcoin/script.ts';
import { accurateSigops, legacyInputSigops, redeemScript } from '../../bitcoin/sigops.ts';
import { LEAF_VERSION } from '../../bitcoin/taproot.ts';
import { serializeTx, type Tx, type TxIn, type TxOut, weightOf } from '../../bitcoin/tx.ts';
import { multisigOf, scriptTypeOf } from '../script-type.ts';
import { checkDustCount } from './dust.ts';
import { check } from './rejection.ts';

const MAX_VERSION = 3;
const MAX_WEIGHT = 400_000;
/** Smaller ones could be mistaken for an inner node of a merkle tree. */
const MIN_STRIPPED_SIZE = 65;
/** Enough for a 15-of-15 multisig behind P2SH. */
const MAX_SCRIPT_SIG = 1650;
const MAX_BARE_KEYS = 3;
const MAX_P2SH_SIGOPS = 15;
/** BIP54. */
const MAX_LEGACY_SIGOPS = 2500;
const P2WSH = { script: 3600, items: 100, item: 80 } as const;
const MAX_TAPSCRIPT_ITEM = 80;
const ANNEX_TAG = 0x50;

function checkOutputs(outputs: readonly TxOut[], maxDataScript: number): void {
  let dataOutputs = 0;
  for (const { script } of outputs) {
    const type = scriptTypeOf(script);
    check(type !== 'nonstandard', 'scriptpubkey');
    if (type === 'multisig') check(multisigOf(script)!.keys <= MAX_BARE_KEYS, 'scriptpubkey');
    if (type !== 'nulldata') continue;
    check(script.length <= maxDataScript, 'scriptpubkey');
    dataOutputs++;
  }
  check(dataOutputs <= 1, 'multi-op-return');
}

/** Refuses what is not standard whatever it spends. A data output may have `maxDataScript` bytes. */
export function checkStandardTx(tx: Tx, maxDataScript: number): void {
  check(tx.version >= 1 && tx.version <= MAX_VERSION, 'version');
  check(weightOf(tx) <= MAX_WEIGHT, 'tx-size');
  for (const { scriptSig } of tx.inputs) {
    check(scriptSig.length <= MAX_SCRIPT_SIG, 'scriptsig-size');
    check(isPushOnly(scriptSig), 'scriptsig-not-pushonly');
  }
  checkOutputs(tx.outputs, maxDataScript);
  checkDustCount(tx);
  check(serializeTx(tx, 'stripped').length >= MIN_STRIPPED_SIZE, 'tx-size-small');
}

/** Refuses inputs whose outputs nobody should spend by relay. */
export function checkStandardInputs(tx: Tx, prevouts: readonly TxOut[]): void {
  const legacySigops = legacyInputSigops(tx, prevouts);
  check(legacySigops <= MAX_LEGACY_SIGOPS, 'bad-txns-nonstandard-inputs', `${legacySigops} legacy sigops`);
  for (const [i, input] of tx.inputs.entries()) {
    const { script } = prevouts[i]!;
    const type = scriptTypeOf(script);
    const isKnown = type !== 'nonstandard' && type !== 'witness_unknown';
    const isLight = type !== 'scripthash' || accurateSigops(redeemScript(input.scriptSig)) <= MAX_P2SH_SIGOPS;
    check(isKnown && isLight, 'bad-txns-nonstandard-inputs', `input ${i}`);
  }
}

const areShort = (items: readonly Bytes[], limit: number): boolean => items.every((item) => item.length <= limit);

function isStandardV0Script(witness: readonly Bytes[]): boolean {
  const script = witness.at(-1)!;
  return (
    script.length <= P2WSH.script && witness.length - 1 <= P2WSH.items && areShort(witness.slice(0, -1), P2WSH.item)
  );
}

function isStandardTaproot(witness: readonly Bytes[]): boolean {
  const control = witness.at(-1)!;
  if (witness.length === 1) return true;
  // BIP341: an annex has no meaning yet.
  if (control[0] === ANNEX_TAG || control.length === 0) return false;
  return (control[0]! & 0xfe) !== LEAF_VERSION || areShort(witness.slice(0, -2), MAX_TAPSCRIPT_ITEM);
}

function isStandardWitness({ scriptSig, witness }: TxIn, prevout: TxOut): boolean {
  if (witness.length === 0) return true;
  if (isP2A(prevout.script)) return false;
  const nested = isP2SH(prevout.script);
  const script = nested ? redeemScript(scriptSig) : prevout.script;
  const program = script && witnessProgram(script);
  if (!program) return false;
  if (program.version === 0 && program.program.length === 32) return isStandardV0Script(witness);
  if (program.version === 1 && program.program.length === 32 && !nested) return isStandardTaproot(witness);
  return true;
}

/** Refuses witnesses that are larger or stranger than spending needs. */
export function checkStandardWitnesses(tx: Tx, prevouts: readonly TxOut[]): void {
  for (const [i, input] of tx.inputs.entries()) {
    check(isStandardWitness(input, prevouts[i]!), 'bad-witness-nonstandard', `input ${i}`);
  }
}
