/** Where the reader of a chain goes on: opaque to the reader, good for that chain only, and no secret. */
import { fromBase64, type OutpointKey, toBase64, utf8 } from '../../base/bytes.ts';
import { malformed } from '../wire/request.ts';

const SEPARATOR = '/';

export const printPageToken = (outpoint: OutpointKey, offset: number): string =>
  toBase64(utf8(`${outpoint}${SEPARATOR}${offset}`))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

/** The offset. Throws `MALFORMED_REQUEST` when the token is not one of this outpoint's. */
export function parsePageToken(outpoint: OutpointKey, token: string): number {
  const base64 = token.replaceAll('-', '+').replaceAll('_', '/');
  let text: string;
  try {
    text = new TextDecoder().decode(fromBase64(base64.padEnd(Math.ceil(base64.length / 4) * 4, '=')));
  } catch {
    throw malformed('pageToken is not one of ours');
  }
  const [for_, offset = ''] = text.split(SEPARATOR);
  if (for_ !== outpoint || !/^[0-9]{1,9}$/.test(offset)) throw malformed('pageToken is for another chain');
  return Number(offset);
}
