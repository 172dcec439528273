/** What an ark transaction may pay to. */
import type { Bytes } from '../../base/bytes.ts';
import { MAX_MONEY } from '../../base/units.ts';
import { isOpReturn, isP2A, isP2TR, p2tr } from '../../bitcoin/script.ts';
import type { TxOut } from '../../bitcoin/tx.ts';
import { type AssetPacket, assetPacketOf } from './asset-packet.ts';
import { demand, reading } from './errors.ts';
import { type Extension, isExtension, parseExtension } from './extension.ts';
import { subDustKey } from './vtxo.ts';

/** Satoshi throughout. */
export interface OutputRules {
  /** Below this an output cannot stand on chain and is written as OP_RETURN. */
  readonly dust: bigint;
  readonly vtxoMinAmount: bigint;
  /** `undefined` is no limit. */
  readonly vtxoMaxAmount: bigint | undefined;
  readonly maxOpReturnOutputs: number;
}

/** A VTXO that an ark transaction creates. */
export interface OffchainOutput {
  readonly vout: number;
  readonly amount: bigint;
  /** The P2TR script the VTXO is known by, also where the output itself is {@link isSubDust}. */
  readonly script: Bytes;
  /** Too small for the chain: cannot be spent off-chain nor leave, only be settled together with others. */
  readonly isSubDust: boolean;
}

export interface OffchainOutputs {
  readonly vtxos: readonly OffchainOutput[];
  readonly extension: Extension | undefined;
  readonly assets: AssetPacket | undefined;
}

/** Throws `AMOUNT_TOO_HIGH` or `AMOUNT_TOO_LOW`. */
function checkAmount(vout: number, amount: bigint, min: bigint, max: bigint): void {
  const data = { output_index: `${vout}`, amount: `${amount}` };
  const text = `output ${vout} has ${amount} sat`;
  demand(amount <= max, 'AMOUNT_TOO_HIGH', `${text}, at most ${max}`, { ...data, max_amount: `${max}` });
  demand(amount >= min, 'AMOUNT_TOO_LOW', `${text}, at least ${min}`, { ...data, min_amount: `${min}` });
}

/**
 * Reads the outputs of an ark transaction; `tx` is its PSBT as received, for the refusal.
 * Throws `MALFORMED_ARK_TX`, `AMOUNT_TOO_HIGH`, `AMOUNT_TOO_LOW` or `ASSET_PACKET_INVALID`.
 */
export function readOffchainOutputs(outputs: readonly TxOut[], rules: OutputRules, tx: string): OffchainOutputs {
  const insist: (condition: unknown, message: string) => asserts condition = (condition, message) =>
    demand(condition, 'MALFORMED_ARK_TX', message, { tx });
  insist(outputs.filter(({ script }) => isP2A(script)).length === 1, 'there must be exactly one anchor');
  insist(isP2A(outputs.at(-1)!.script) && outputs.at(-1)!.value === 0n, 'the anchor comes last and has no value');
  const opReturns = outputs.filter(({ script }) => isOpReturn(script)).length;
  insist(opReturns <= rules.maxOpReturnOutputs, `${opReturns} OP_RETURN outputs, at most ${rules.maxOpReturnOutputs}`);
  const extensions = outputs.filter(({ script }) => isExtension(script));
  insist(extensions.length <= 1, 'there are several extensions');

  const max = rules.vtxoMaxAmount ?? MAX_MONEY;
  const vtxos = outputs.slice(0, -1).flatMap(({ value, script }, vout): OffchainOutput[] => {
    const key = isExtension(script) ? undefined : subDustKey(script);
    if (key) {
      insist(value > 0n && value < rules.dust, `output ${vout} is no sub-dust amount`);
      checkAmount(vout, value, rules.vtxoMinAmount, max);
      return [{ vout, amount: value, script: p2tr(key), isSubDust: true }];
    }
    if (isOpReturn(script)) {
      insist(value === 0n, `OP_RETURN output ${vout} has a value`);
      return [];
    }
    for (const min of [rules.vtxoMinAmount, rules.dust]) checkAmount(vout, value, min, max);
    insist(isP2TR(script), `output ${vout} is not P2TR`);
    return [{ vout, amount: value, script, isSubDust: false }];
  });
  const [extension] = extensions.map(({ script }) => reading('MALFORMED_ARK_TX', { tx }, () => parseExtension(script)));
  return { vtxos, extension, assets: assetPacketOf(extension) };
}
