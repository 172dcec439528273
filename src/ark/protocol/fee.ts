/** What an intent costs: the operator's CEL programs, evaluated as the clients evaluate them. */
import { Environment, type ParseResult } from '@marcbachmann/cel-js';
import { type Bytes, toHex } from '../../base/bytes.ts';
import { messageOf } from '../../base/errors.ts';
import { MAX_MONEY, type Sats, sats, type UnixSeconds } from '../../base/units.ts';
import { arkError, demand } from './errors.ts';
import type { IntentFeePrograms } from './settings.ts';

export interface PricedVtxo {
  /** Satoshi. */
  readonly amount: bigint;
  readonly type: 'vtxo' | 'recoverable' | 'note';
  /** When its batch expires: unix seconds, or a height where batches live for blocks; clients pass on what they are told. */
  readonly expiry?: number;
  readonly birth?: UnixSeconds;
  /** Clients and servers agree on 0. */
  readonly weight: number;
}

export interface PricedOutput {
  /** Satoshi. */
  readonly amount: bigint;
  readonly script: Bytes;
}

/** An intent as its price sees it. */
export interface PricedIntent {
  readonly offchainInputs: readonly PricedVtxo[];
  readonly onchainInputs: readonly { readonly amount: bigint }[];
  readonly offchainOutputs: readonly PricedOutput[];
  readonly onchainOutputs: readonly PricedOutput[];
}

type ProgramName = keyof IntentFeePrograms;

const outputs = new Environment().registerVariable('amount', 'double').registerVariable('script', 'string');
/** What each program may speak of, besides `now()`. */
const ENVIRONMENTS: Readonly<Record<ProgramName, Environment>> = {
  offchainInput: new Environment()
    .registerVariable('amount', 'double')
    .registerVariable('expiry', 'double')
    .registerVariable('birth', 'double')
    .registerVariable('weight', 'double')
    .registerVariable('inputType', 'string'),
  onchainInput: new Environment().registerVariable('amount', 'double'),
  offchainOutput: outputs,
  onchainOutput: outputs,
};

/** In the order in which both sides add them up. */
const PROGRAMS = ['offchainInput', 'onchainInput', 'offchainOutput', 'onchainOutput'] as const;

/** What cel-js throws on a program is the operator's mistake, and named so. */
function attempt<T>(name: ProgramName, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw arkError('INTENT_FEE_EVALUATION_FAILED', `fee program ${name}: ${messageOf(error)}`);
  }
}

function compile(name: ProgramName, text: string, now: UnixSeconds): ParseResult {
  const environment = ENVIRONMENTS[name].clone().registerFunction('now(): double', () => now);
  return attempt(name, () => {
    const program = environment.parse(text);
    const { valid, type, error } = program.check();
    if (!valid || type !== 'double') throw new TypeError(error?.message ?? `gives ${type}, not double`);
    return program;
  });
}

/** Adds what the program asks for each subject to `sum`: the order of additions is part of the protocol. */
function addPrices(
  sum: number,
  name: ProgramName,
  text: string,
  now: UnixSeconds,
  subjects: readonly Readonly<Record<string, number | string>>[],
): number {
  if (text === '' || subjects.length === 0) return sum;
  const program = compile(name, text, now);
  return attempt(name, () => subjects.reduce((total, subject) => total + Number(program(subject)), sum));
}

/** The programs, each found to compile to a number. Throws `INTENT_FEE_EVALUATION_FAILED`. */
export function parseFeePrograms(programs: IntentFeePrograms): IntentFeePrograms {
  for (const name of PROGRAMS) {
    if (programs[name] !== '') compile(name, programs[name], 0 as UnixSeconds);
  }
  return programs;
}

const vtxoArguments = ({ amount, type, expiry, birth, weight }: PricedVtxo) => ({
  amount: Number(amount),
  inputType: type,
  weight,
  ...(expiry === undefined ? {} : { expiry }),
  ...(birth === undefined ? {} : { birth }),
});
const outputArguments = ({ amount, script }: PricedOutput) => ({ amount: Number(amount), script: toHex(script) });

/**
 * What the intent has to leave to the server: the protocol defines the programs over doubles, adds them up and
 * rounds up to whole satoshi; a negative sum costs nothing. Throws `INTENT_FEE_EVALUATION_FAILED`.
 */
export function intentFee(programs: IntentFeePrograms, intent: PricedIntent, now: UnixSeconds): Sats {
  const subjects: Readonly<Record<ProgramName, readonly Readonly<Record<string, number | string>>[]>> = {
    offchainInput: intent.offchainInputs.map(vtxoArguments),
    onchainInput: intent.onchainInputs.map(({ amount }) => ({ amount: Number(amount) })),
    offchainOutput: intent.offchainOutputs.map(outputArguments),
    onchainOutput: intent.onchainOutputs.map(outputArguments),
  };
  const fee = PROGRAMS.reduce((sum, name) => addPrices(sum, name, programs[name], now, subjects[name]), 0);
  demand(Number.isFinite(fee) && fee <= Number(MAX_MONEY), 'INTENT_FEE_EVALUATION_FAILED', `the fee is ${fee}`);
  return sats(Math.max(0, Math.ceil(fee)));
}
