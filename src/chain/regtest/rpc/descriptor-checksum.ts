/** The checksum that ends a descriptor (BIP380). */

/** BIP380's alphabets and the generator of its checksum. */
const INPUT = `0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH\`#"\\ `;
const OUTPUT = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
/** Forty bits each, as an upper and a lower half. */
const GENERATOR = [
  [0xf5dee, 0x51989],
  [0xa9fdc, 0xa3312],
  [0x1bab1, 0x0e32d],
  [0x3706b, 0x1677a],
  [0x644d6, 0x26ffd],
] as const;
const CHECKSUM_LENGTH = 8;
const PADDING = Array.from({ length: CHECKSUM_LENGTH }, () => 0);

/** Each character's place in its row of 32, and after every three the rows; `undefined` for a foreign character. */
function symbolsOf(descriptor: string): number[] | undefined {
  const symbols: number[] = [];
  let rows = 0;
  let count = 0;
  for (const character of descriptor) {
    const place = INPUT.indexOf(character);
    if (place < 0) return undefined;
    symbols.push(place & 31);
    rows = rows * 3 + (place >> 5);
    if (++count % 3 > 0) continue;
    symbols.push(rows);
    rows = 0;
  }
  if (count % 3 > 0) symbols.push(rows);
  return symbols;
}

/** Eight characters, or `undefined` where a character has no place in a descriptor. */
export function checksumOf(descriptor: string): string | undefined {
  const symbols = symbolsOf(descriptor);
  if (!symbols) return undefined;
  let upper = 0;
  let lower = 1;
  for (const symbol of [...symbols, ...PADDING]) {
    const top = upper >> 15;
    upper = ((upper & 0x7fff) << 5) | (lower >> 15);
    lower = ((lower & 0x7fff) << 5) ^ symbol;
    for (const [i, [high, low]] of GENERATOR.entries()) {
      if (((top >> i) & 1) === 0) continue;
      upper ^= high;
      lower ^= low;
    }
  }
  lower ^= 1;
  const words = [upper, lower].flatMap((half) => [15, 10, 5, 0].map((shift) => OUTPUT[(half >> shift) & 31]));
  return words.join('');
}

export const withChecksum = (descriptor: string): string => `${descriptor}#${checksumOf(descriptor)}`;
