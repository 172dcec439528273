/** Columns for people to read on a terminal. */

/** Amounts and counts stand to the right, as one compares them by their length. */
const isNumber = (cell: string): boolean => /^-?[0-9][0-9,.]*$/.test(cell);

/** Lines of `rows` under `headers`; a word of its own where there are none. */
export function table(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return 'none\n';
  const columns = headers.map((header, i) => [header, ...rows.map((row) => row[i] ?? '')]);
  const width = columns.map((cells) => Math.max(...cells.map((cell) => cell.length)));
  const toRight = columns.map(([, ...cells]) => cells.every((cell) => cell === '' || isNumber(cell)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (toRight[i] ? cell.padStart(width[i]!) : cell.padEnd(width[i]!)))
      .join('  ')
      .trimEnd();
  return `${[headers, ...rows].map(line).join('\n')}\n`;
}

/** `name  value` lines. */
export function list(entries: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length));
  return `${entries.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd()).join('\n')}\n`;
}

/** `1234567` → `1,234,567`. */
export const grouped = (digits: string): string => digits.replace(/\B(?=([0-9]{3})+$)/g, ',');

/** UTC, to the second; empty for 0. */
export const when = (seconds: string | number): string =>
  Number(seconds) === 0 ? '' : new Date(Number(seconds) * 1000).toISOString().slice(0, 19).replace('T', ' ');
