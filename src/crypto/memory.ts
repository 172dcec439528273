/** Remembers what was asked of public keys a short while ago: wallets use the same scripts again and again. */
import { type Bytes, toHex } from '../base/bytes.ts';
import type { Secp } from './secp.ts';

/** Answers remembered of each kind: some 200 bytes each. */
const CAPACITY = 10_000;

/** `compute` by key, the last `capacity` answers remembered; whoever asks again keeps an answer from being forgotten. */
function remembering<Answer>(capacity: number): (key: string, compute: () => Answer) => Answer {
  const known = new Map<string, Answer>();
  return (key, compute) => {
    const found = known.has(key);
    const answer = found ? (known.get(key) as Answer) : compute();
    if (found) known.delete(key);
    else if (known.size >= capacity) known.delete(known.keys().next().value!);
    known.set(key, answer);
    return answer;
  };
}

/** The same backend, but for taproot tweaks and the validity of x-only keys, which are computed once. */
export function withMemory(secp: Secp, capacity = CAPACITY): Secp {
  const tweaked = remembering<ReturnType<Secp['tweakXonly']>>(capacity);
  const valid = remembering<boolean>(capacity);
  return {
    ...secp,
    isXonly: (key: Bytes) => valid(toHex(key), () => secp.isXonly(key)),
    tweakXonly: (xonly: Bytes, tweak: Bytes) =>
      tweaked(`${toHex(xonly)}:${toHex(tweak)}`, () => secp.tweakXonly(xonly, tweak)),
  };
}
