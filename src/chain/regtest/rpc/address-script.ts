import type { Bytes } from '../../../base/bytes.ts';
import { parseAddress } from '../../../bitcoin/address.ts';
import { RpcError } from './error.ts';

/** What an address pays to. Throws `RpcError` with `complaint` where it is none of regtest's. */
export function addressScript(address: string, complaint: string): Bytes {
  try {
    return parseAddress('regtest', address);
  } catch {
    throw new RpcError('notFound', complaint);
  }
}
