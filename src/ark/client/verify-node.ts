/** A node of a batch's VTXO tree: nobody but all its cosigners together can spend what it spends, or the server after expiry. */
import { type Bytes, equal, toHex } from '../../base/bytes.ts';
import { DecodeError } from '../../bitcoin/reader.ts';
import { p2tr } from '../../bitcoin/script.ts';
import type { RelativeTimelock } from '../../bitcoin/timelock.ts';
import { SEQUENCE_FINAL } from '../../bitcoin/tx.ts';
import type { KeyAggregator } from '../../txgraph/cosign.ts';
import { sweepScript } from '../protocol/batch-tree.ts';
import { cosignersOf, expiryOf } from '../protocol/psbt-fields.ts';
import type { Aggregators } from './client.ts';
import type { Findings } from './finding.ts';
import type { Spend } from './verify-spend.ts';

/** What is known of a node once it was looked at. */
export interface NodeFacts {
  /** Compressed keys in hex. */
  readonly cosigners: readonly string[];
  readonly expiry: RelativeTimelock | undefined;
}

export interface NodeExpectation {
  readonly aggregators: Aggregators;
  /** x-only. */
  readonly forfeitKey: Bytes;
  /** Compressed key in hex that the owner cosigned with; absent where others made the batch leaf. */
  readonly cosigner?: string | undefined;
  /** The parent node's facts; absent for the root. */
  readonly parent: NodeFacts | undefined;
}

const attempt = <T>(work: () => T): T | undefined => {
  try {
    return work();
  } catch {
    return undefined;
  }
};

/** The output script that these cosigners lock with this sweep leaf; `undefined` for keys that are none. */
const lockOf = (aggregator: KeyAggregator, cosigners: readonly string[]): Bytes | undefined =>
  attempt(() => p2tr(aggregator.of(cosigners).xonly));

export function checkNode(spend: Spend, expected: NodeExpectation, findings: Findings): NodeFacts {
  const { txid, tx, inputs, prevouts } = spend;
  const { expect } = findings;
  const input = inputs[0]!;
  const cosigners = cosignersOf(input).map(toHex);
  const isFinal = tx.inputs.length === 1 && tx.inputs[0]!.sequence === SEQUENCE_FINAL && tx.locktime === 0;
  expect(isFinal, 'TX_SHAPE', 'a node of a tree has one input and no lock', txid);

  const expiry = readExpiry();
  const { parent, cosigner, aggregators, forfeitKey } = expected;
  const lock = expiry && lockOf(aggregators(sweepScript(expiry, forfeitKey)), cosigners);
  const isExclusive = lock && equal(lock, prevouts[0]!.script) && tx.inputs[0]!.witness.length === 1;
  expect(isExclusive, 'HIDDEN_SPEND_PATH', 'more than its cosigners and the sweep leaf can spend it', txid);
  const isSame = !parent?.expiry || !expiry || sameLock(parent.expiry, expiry);
  expect(isSame, 'EXPIRY_INCONSISTENT', 'it expires at another time than its parent', txid);
  const isNested = !parent || cosigners.every((key) => parent.cosigners.some((other) => sameXonly(other, key)));
  expect(isNested, 'COSIGNER_MISSING', 'a cosigner has no say above', txid);
  const isJoint = new Set(cosigners.map((key) => key.slice(2))).size > 1;
  expect(isJoint, 'COSIGNER_MISSING', 'one key alone holds it', txid);
  expect(!cosigner || cosigners.includes(cosigner), 'COSIGNER_MISSING', 'the owner does not cosign it', txid);
  return { cosigners, expiry };

  function readExpiry(): RelativeTimelock | undefined {
    try {
      return expiryOf(input);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      expect(false, 'TX_MALFORMED', 'its expiry cannot be read', txid);
      return undefined;
    }
  }
}

const sameXonly = (a: string, b: string): boolean => a.slice(2) === b.slice(2);
const sameLock = (a: RelativeTimelock, b: RelativeTimelock): boolean => a.type === b.type && a.value === b.value;
