/** The checksum that ends a descriptor (BIP380). */

/** BIP380's alphabets and the generator of its checksum. */
const INPUT = `0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH\`#"\\ `;
const OUTPUT = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const GENERATOR = [0xf5dee51989n, 0xa9fdca3312n, 0x1bab10e32dn, 0x3706b1677an, 0x644d626ffdn];
const CHECKSUM_LENGTH = 8;

/** Eight characters, or `undefined` where a character has no place in a descriptor. */
export function checksumOf(descriptor: string): string | undefined {
  const symbols: number[] = [];
  let group: number[] = [];
  for (const character of descriptor) {
    const place = INPUT.indexOf(character);
    if (place < 0) return undefined;
    symbols.push(place & 31);
    group.push(place >> 5);
    if (group.length < 3) continue;
    symbols.push(group[0]! * 9 + group[1]! * 3 + group[2]!);
    group = [];
  }
  if (group.length === 1) symbols.push(group[0]!);
  if (group.length === 2) symbols.push(group[0]! * 3 + group[1]!);
  let state = 1n;
  for (const symbol of [...symbols, ...Array.from({ length: CHECKSUM_LENGTH }, () => 0)]) {
    const top = state >> 35n;
    state = ((state & 0x7ffffffffn) << 5n) ^ BigInt(symbol);
    for (const [i, factor] of GENERATOR.entries()) if ((top >> BigInt(i)) & 1n) state ^= factor;
  }
  state ^= 1n;
  return Array.from({ length: CHECKSUM_LENGTH }, (_, i) => OUTPUT[Number((state >> BigInt(5 * (7 - i))) & 31n)]).join(
    '',
  );
}

export const withChecksum = (descriptor: string): string => `${descriptor}#${checksumOf(descriptor)}`;
