/** Asks a server for all transactions between a VTXO and the chain. The list it gives is a hint of what to ask for. */
import { type Outpoint, parseTxid, type Txid } from '../../base/bytes.ts';
import { type Psbt, parsePsbt, psbtBase64 } from '../../bitcoin/psbt.ts';
import { txidOf } from '../../bitcoin/tx.ts';
import { asFields, type Fields, message, requiredText, texts, whole } from '../wire/request.ts';
import { INDEXER_ROUTES } from '../wire/routes.ts';
import type { ArkClient } from './client.ts';
import { insist, reading } from './errors.ts';
import { createFindings, type Finding } from './finding.ts';

export interface ReceivedLineage {
  /** By the ids of the transactions themselves. */
  readonly psbts: ReadonlyMap<Txid, Psbt>;
  /** What could not be read or asked for. */
  readonly findings: readonly Finding[];
}

export interface LineageLimits {
  /** Longest list of ancestors that is asked for. */
  readonly maxTransactions: number;
}

export const LINEAGE_LIMITS: LineageLimits = { maxTransactions: 200_000 };

const CHAIN_PAGE = 1_000;
/** Txids are 64 characters of the URL each. */
const TXS_PER_CALL = 50;
const COMMITMENT = 'INDEXER_CHAINED_TX_TYPE_COMMITMENT';

/** Ids of the ancestors as the server lists them, without commitments; `undefined` for a list without end. */
async function listAncestors(
  { transport }: Pick<ArkClient, 'transport'>,
  { txid, vout }: Outpoint,
  { maxTransactions }: LineageLimits,
): Promise<readonly Txid[] | undefined> {
  const seen = new Set<Txid>();
  const listed: Txid[] = [];
  for (let index = 1; ; index++) {
    const query = { 'page.index': index, 'page.size': CHAIN_PAGE };
    const answer = await transport.call({ route: INDEXER_ROUTES.vtxoChain, params: { txid, vout }, query });
    const page = reading(() => {
      insist(Array.isArray(answer.chain), 'MALFORMED_ANSWER', 'a chain is a list');
      return answer.chain.map((entry) => {
        const fields = asFields(entry);
        return { txid: parseTxid(requiredText(fields, 'txid')), type: fields.type };
      });
    });
    if (page.some((entry) => seen.has(entry.txid))) return undefined;
    for (const entry of page) {
      seen.add(entry.txid);
      if (entry.type !== COMMITMENT) listed.push(entry.txid);
    }
    if (seen.size > maxTransactions) return undefined;
    if (page.length === 0 || index >= pagesOf(answer)) return listed;
  }
}

/** How many pages there are; a server that does not page answers with everything at once. */
const pagesOf = (answer: Fields): number => reading(() => whole(message(answer, 'page').total, 'total'));

/**
 * Fetches the ancestors of a VTXO, itself included. Throws the server's refusal, such as `VTXO_NOT_FOUND`, and `MALFORMED_ANSWER`; what is merely missing shows when it is verified.
 */
export async function fetchLineage(
  client: Pick<ArkClient, 'transport'>,
  outpoint: Outpoint,
  limits: LineageLimits = LINEAGE_LIMITS,
): Promise<ReceivedLineage> {
  const { list, expect } = createFindings();
  const psbts = new Map<Txid, Psbt>();
  const wanted = await listAncestors(client, outpoint, limits);
  expect(wanted, 'LINEAGE_ENDLESS', 'the list of ancestors does not end', outpoint.txid);

  function take(text: string): void {
    const psbt = parse(text);
    if (!expect(psbt, 'TX_MALFORMED', 'an ancestor is no PSBT')) return;
    const txid = txidOf(psbt!.tx);
    const earlier = psbts.get(txid);
    const isSame = !earlier || psbtBase64(earlier) === psbtBase64(psbt!);
    if (expect(isSame, 'TX_DUPLICATED', 'one transaction in two forms', txid)) psbts.set(txid, psbt!);
  }

  for (let at = 0; wanted && at < wanted.length; at += TXS_PER_CALL) {
    const txids = wanted.slice(at, at + TXS_PER_CALL);
    const query = { 'page.index': 1, 'page.size': TXS_PER_CALL };
    const params = { txids: txids.join(',') };
    const answer = await client.transport.call({ route: INDEXER_ROUTES.virtualTxs, params, query });
    for (const text of reading(() => texts(answer, 'txs'))) take(text);
  }
  return { psbts, findings: list };
}

function parse(text: string): Psbt | undefined {
  try {
    return parsePsbt(text);
  } catch {
    return undefined;
  }
}
