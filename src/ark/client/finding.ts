/** What may be wrong with a VTXO. Each way in which a server, a sender or an explorer may lie has a code of its own. */
import type { OutpointKey, Txid } from '../../base/bytes.ts';

/** `fatal`: it is not worth what it says, do not accept it. `warning`: it is, but its owner should know. */
export type Weight = 'fatal' | 'warning';

export const FINDINGS = {
  /** The server's list of ancestors repeats itself or goes on for ever. */
  LINEAGE_ENDLESS: 'fatal',
  /** Bytes that are no transaction, or fields of it that cannot be read. */
  TX_MALFORMED: 'fatal',
  /** One transaction came twice with different signatures or fields. */
  TX_DUPLICATED: 'fatal',
  /** An ancestor is neither among the transactions received nor on chain. */
  TX_MISSING: 'fatal',
  /** Not the version, locks, anchor or number of inputs that a transaction in its place has. */
  TX_SHAPE: 'fatal',
  /** Nodes would not relay it: too heavy, or an output below dust. */
  NOT_RELAYABLE: 'fatal',
  /** Spends or is an output that its transaction does not have. */
  OUTPUT_MISSING: 'fatal',
  VALUE_NOT_CONSERVED: 'fatal',
  /** Two ancestors spend one output: at most one of them can be on chain, and so the VTXO cannot. */
  SPENT_TWICE: 'fatal',
  /** It names another value or script for what it spends than its parent has. */
  PREVOUT_MISSTATED: 'fatal',
  SIGNATURE_MISSING: 'fatal',
  /** A witness that consensus or the relay rules refuse. */
  SIGNATURE_INVALID: 'fatal',
  /** The tree hangs below something else than output 0 of a commitment transaction. */
  ROOT_NOT_BATCH_OUTPUT: 'fatal',
  /** An output on the way can be spent otherwise than by its cosigners or closures, or one cannot tell. */
  HIDDEN_SPEND_PATH: 'fatal',
  /** A node lacks the owner's cosigner or one of those below it, or has a single one. */
  COSIGNER_MISSING: 'fatal',
  /** Nodes of one branch say that they expire at different times. */
  EXPIRY_INCONSISTENT: 'fatal',
  /** A former owner can spend without the server. */
  SERVER_NOT_REQUIRED: 'fatal',
  /** A former owner can leave sooner than an answer could be in a block. */
  EXIT_RACE: 'fatal',
  /** A former owner can leave sooner than the terms say. */
  EXIT_DELAY_SHORT: 'warning',
  /** The server can take a checkpoint back sooner than the terms say. */
  CHECKPOINT_DELAY_SHORT: 'fatal',
  /** The output pays to another script than the owner's. */
  NOT_OWN: 'fatal',
  /** Too small for the chain: no exit without the server. */
  SUB_DUST: 'warning',
  AMOUNT_MISSTATED: 'fatal',
  /** The server tells of a preconfirmed VTXO as settled, or the other way round. */
  STATUS_MISSTATED: 'fatal',
  /** The server names other commitments than those that the VTXO hangs on. */
  COMMITMENTS_MISSTATED: 'fatal',
  /** The server tells of a later expiry than the chain has. */
  EXPIRY_MISSTATED: 'fatal',
  COMMITMENT_UNKNOWN: 'fatal',
  COMMITMENT_UNCONFIRMED: 'warning',
  /** Something else spends an output on the way. */
  SPENT_ON_CHAIN: 'fatal',
  /** The server took an output on the way after its expiry: the VTXO is recoverable, not lost. */
  SWEPT: 'fatal',
  /** The server signed two spends of one output; the report holds the proof. */
  EQUIVOCATION: 'fatal',
  EXPIRED: 'fatal',
  /** An exit that begins now might not be over before the batch expires. */
  EXPIRY_TOO_SOON: 'fatal',
  /** Time to renew. */
  EXPIRY_NEAR: 'warning',
  /** The exit waits for an absolute lock on the way. */
  PATH_LOCKED: 'warning',
} as const satisfies Record<string, Weight>;

export type FindingCode = keyof typeof FINDINGS;

export interface Finding {
  readonly code: FindingCode;
  readonly weight: Weight;
  /** For people. */
  readonly message: string;
  /** The transaction or output it is about. */
  readonly at?: Txid | OutpointKey;
}

export const finding = (code: FindingCode, message: string, at?: Txid | OutpointKey): Finding => ({
  code,
  weight: FINDINGS[code],
  message,
  ...(at && { at }),
});

/** Collects findings while a check goes on. */
export interface Findings {
  readonly list: readonly Finding[];
  /** Notes a finding unless `condition` holds; returns whether it does. */
  expect(condition: unknown, code: FindingCode, message: string, at?: Txid | OutpointKey): boolean;
}

export function createFindings(): Findings {
  const list: Finding[] = [];
  return {
    list,
    expect(condition, code, message, at) {
      if (!condition) list.push(finding(code, message, at));
      return Boolean(condition);
    },
  };
}
