/** Reads requests in proto3 JSON, tolerating what it tolerates: whole numbers as text, absent fields as empty ones. */
import { type OutpointKey, outpointKey, parseOutpoint, parseTxid, type Txid } from '../../base/bytes.ts';
import { messageOf, ProtocolError } from '../../base/errors.ts';
import { type AssetId, parseAssetId } from '../protocol/asset-packet.ts';

export type MalformedRequest = ProtocolError<'MALFORMED_REQUEST'>;

export const malformed = (message: string): MalformedRequest => new ProtocolError('MALFORMED_REQUEST', message);

/** A JSON object whose fields are not trusted yet. */
export type Fields = Readonly<Record<string, unknown>>;

export function asFields(value: unknown, what = 'the body'): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(`${what} must be an object`);
  return value as Fields;
}

/** A nested message; absent counts as empty. */
export const message = (fields: Fields, name: string): Fields => asFields(fields[name] ?? {}, name);

export function requiredMessage(fields: Fields, name: string): Fields {
  if (fields[name] === undefined || fields[name] === null) throw malformed(`missing ${name}`);
  return message(fields, name);
}

/** Never with a NUL in it, which not every database can look for. */
export function text(fields: Fields, name: string): string {
  const value = fields[name] ?? '';
  if (typeof value !== 'string' || value.includes('\0')) throw malformed(`${name} must be a string without NUL`);
  return value;
}

export function requiredText(fields: Fields, name: string): string {
  const value = text(fields, name);
  if (value === '') throw malformed(`missing ${name}`);
  return value;
}

export function texts(fields: Fields, name: string): readonly string[] {
  const value = fields[name] ?? [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw malformed(`${name} must be a list of strings`);
  }
  return value;
}

/** A list whose items may also come joined by commas. */
export const commaTexts = (fields: Fields, name: string): readonly string[] =>
  texts(fields, name).flatMap((value) => value.split(',').filter((item) => item !== ''));

/** `fallback` when absent. */
export function flag(fields: Fields, name: string, fallback = false): boolean {
  const value = fields[name] ?? fallback;
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false' || value === '') return false;
  throw malformed(`${name} must be true or false`);
}

export function textMap(fields: Fields, name: string): Readonly<Record<string, string>> {
  const value = asFields(fields[name] ?? {}, name);
  if (!Object.values(value).every((item) => typeof item === 'string')) throw malformed(`${name} must map to strings`);
  return value as Record<string, string>;
}

/** A whole number as number or decimal text; `fallback` when absent or empty. */
export function whole(value: unknown, name: string, fallback = 0): number {
  if (value === undefined || value === null || value === '') return fallback;
  const number = typeof value === 'string' && /^-?[0-9]{1,16}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw malformed(`${name} must be a whole number`);
  return number;
}

/** Satoshi as number or decimal text. */
export function amount(value: unknown, name: string): bigint {
  const number = whole(value, name);
  if (number < 0) throw malformed(`${name} must not be negative`);
  return BigInt(number);
}

export interface TimeRange {
  /** Unix seconds, 0 for no bound. */
  readonly after: number;
  readonly before: number;
}

/** Two bounds that leave something between them. */
export function range(fields: Fields, afterName: string, beforeName: string): TimeRange {
  const [after, before] = [whole(fields[afterName], afterName), whole(fields[beforeName], beforeName)];
  if (after < 0 || before < 0) throw malformed(`${afterName} and ${beforeName} must not be negative`);
  if (before > 0 && after >= before) throw malformed(`${afterName} must be before ${beforeName}`);
  return { after, before };
}

/** What `parse` throws at foreign text becomes a refusal. */
function reading<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw malformed(messageOf(error));
  }
}

export const txid = (value: string): Txid => reading(() => parseTxid(value));
export const assetId = (value: string): AssetId => reading(() => parseAssetId(value));
export const outpoint = (value: string): OutpointKey => reading(() => outpointKey(parseOutpoint(value)));

export function scriptHex(value: string): string {
  if (!/^([0-9a-fA-F]{2}){1,520}$/.test(value)) throw malformed('a script must be hex');
  return value.toLowerCase();
}

const MOST_INT32 = 2 ** 31 - 1;

export interface PageRequest {
  readonly index: number;
  readonly size: number;
}

/** `undefined` when no page is asked for. Index 0 and 1 are both the first. */
export function pageRequest(fields: Fields): PageRequest | undefined {
  if (fields.page === undefined || fields.page === null) return undefined;
  const page = message(fields, 'page');
  const [index, size] = [whole(page.index, 'page.index'), whole(page.size, 'page.size')];
  if (index < 0) throw malformed('page.index must not be negative');
  if (index > MOST_INT32 || size > MOST_INT32) throw malformed('page.index and page.size are of 32 bits');
  return { index: Math.max(1, index), size };
}

/** Rows of a page, `defaultSize` where the request leaves it open, never more than `most`. */
export function pageBounds(
  page: PageRequest | undefined,
  defaultSize: number,
  most: number,
): { limit: number; offset: number } {
  const limit = Math.min(most, page && page.size > 0 ? page.size : defaultSize);
  return { limit, offset: limit * ((page?.index ?? 1) - 1) };
}

/** Absent where no page was asked for, unless there is more than fits into one answer. */
export const pageResponse = (page: PageRequest | undefined, limit: number, total: number) => {
  if (!page && total <= limit) return null;
  const current = page?.index ?? 1;
  const pages = Math.ceil(total / limit);
  return { current, next: Math.min(current + 1, pages), total: pages };
};
