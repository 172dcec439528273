/** A chain source over an Esplora API and whatever answers like `fetch`. */
import { type Outpoint, parseTxid, type Txid } from '../../base/bytes.ts';
import { messageOf, ProtocolError } from '../../base/errors.ts';
import { type FeeRate, feeRate } from '../../base/units.ts';
import { addressOf, type Network } from '../../bitcoin/address.ts';
import { parseTx, txHex, txidOf } from '../../bitcoin/tx.ts';
import { asFields, type Fields, whole } from '../wire/request.ts';
import type { ChainSource, Placed } from './chain-source.ts';
import { type ClientErrorCode, insist, reading } from './errors.ts';
import type { Fetch } from './transport.ts';

/** Where an explorer knows no rate: the least that nodes relay. */
const RELAY_MINIMUM = 1;

const failed = (message: string): ProtocolError<ClientErrorCode> => new ProtocolError('CHAIN_SOURCE_FAILED', message);

function placed(status: unknown): { readonly confirmation?: Placed } {
  const fields = asFields(status, 'status');
  if (fields.confirmed !== true) return {};
  return {
    confirmation: {
      height: whole(fields.block_height, 'block_height'),
      blockTime: whole(fields.block_time, 'block_time'),
    },
  };
}

const list = (value: unknown): readonly unknown[] => {
  insist(Array.isArray(value), 'CHAIN_SOURCE_FAILED', 'the explorer does not answer with a list');
  return value;
};

/** `base` is the URL below which the API's paths begin, such as `https://mempool.space/api`. */
export function createEsploraSource(fetch: Fetch, base: string, network: Network): ChainSource {
  async function ask(path: string, init: RequestInit = {}): Promise<Response> {
    try {
      return await fetch(`${base}${path}`, init);
    } catch (error) {
      throw failed(`${path}: ${messageOf(error)}`);
    }
  }

  /** The answer's text; `undefined` where there is no such thing. */
  async function text(path: string): Promise<string | undefined> {
    const response = await ask(path);
    const body = await response.text();
    if (response.status === 404) return undefined;
    if (!response.ok) throw failed(`${path}: ${response.status} ${body.slice(0, 200)}`);
    return body;
  }

  async function json(path: string): Promise<unknown> {
    const body = await text(path);
    return body === undefined ? undefined : read(() => JSON.parse(body) as unknown);
  }

  const read = <T>(parse: () => T): T => {
    try {
      return reading(parse);
    } catch (error) {
      throw failed(messageOf(error));
    }
  };

  async function send(path: string, body: string): Promise<void> {
    const response = await ask(path, { method: 'POST', body });
    const answer = await response.text();
    // Refusals are 400 everywhere; nodes differ in what they say of a package they do not take.
    insist(response.status < 500, 'CHAIN_SOURCE_FAILED', `${path}: ${response.status} ${answer.slice(0, 200)}`);
    const refused = !response.ok || answer.includes('"transaction failed"') || answer.includes('"error"');
    insist(!refused, 'BROADCAST_REFUSED', answer.slice(0, 500));
  }

  return {
    async tip() {
      const [newest] = list(await json('/blocks'));
      return read(() => {
        const block = asFields(newest, 'block');
        return { height: whole(block.height, 'height'), medianTime: whole(block.mediantime, 'mediantime') };
      });
    },
    async transaction(txid: Txid) {
      const [hex, status] = await Promise.all([text(`/tx/${txid}/hex`), json(`/tx/${txid}/status`)]);
      if (hex === undefined || status === undefined) return undefined;
      return read(() => {
        const tx = parseTx(hex.trim());
        insist(txidOf(tx) === txid, 'CHAIN_SOURCE_FAILED', 'the explorer answers with another transaction');
        return { tx, ...placed(status) };
      });
    },
    async spender({ txid, vout }: Outpoint) {
      const answer = await json(`/tx/${txid}/outspend/${vout}`);
      return read(() => {
        const fields: Fields = answer === undefined ? {} : asFields(answer, 'outspend');
        if (fields.spent !== true) return undefined;
        return { txid: parseTxid(`${fields.txid}`), ...placed(fields.status) };
      });
    },
    async unspent(script) {
      const address = addressOf(network, script);
      insist(address, 'CHAIN_SOURCE_FAILED', 'a script without an address');
      const coins = list(await json(`/address/${address}/utxo`));
      return read(() =>
        coins.map((coin) => {
          const fields = asFields(coin, 'utxo');
          const outpoint = { txid: parseTxid(`${fields.txid}`), vout: whole(fields.vout, 'vout') };
          return {
            outpoint,
            output: { value: BigInt(whole(fields.value, 'value')), script },
            ...placed(fields.status),
          };
        }),
      );
    },
    async feeRate(targetBlocks): Promise<FeeRate> {
      const estimates = await json('/fee-estimates');
      return read(() => {
        const fields = estimates === undefined ? {} : asFields(estimates, 'fee-estimates');
        const targets = Object.keys(fields)
          .map(Number)
          .sort((a, b) => a - b);
        const target = targets.findLast((each) => each <= targetBlocks) ?? targets[0];
        return feeRate(Math.max(RELAY_MINIMUM, Number(fields[`${target}`] ?? 0)));
      });
    },
    broadcast: (tx) => send('/tx', txHex(tx)),
    broadcastPackage: (parent, child) => send('/txs/package', JSON.stringify([txHex(parent), txHex(child)])),
  };
}
