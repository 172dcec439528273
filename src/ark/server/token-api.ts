/** The operator's calls about access tokens (`/v1/admin/tokens`). */
import { AdminService } from '../wire/gen/ark/v1/admin_pb.ts';
import { type Fields, malformed, outpoint, text, txid } from '../wire/request.ts';
import type { AccessTokens, TokenFilter } from './access-tokens.ts';
import type { Door } from './door.ts';

function filterOf(request: Fields): TokenFilter {
  const [token, hash, ofOutpoint, ofTxid] = ['token', 'hash', 'outpoint', 'txid'].map((name) => text(request, name));
  return {
    ...(token && { token }),
    ...(hash && { hash: hash.toLowerCase() }),
    ...(ofOutpoint && { outpoint: outpoint(ofOutpoint) }),
    ...(ofTxid && { txid: txid(ofTxid) }),
  };
}

export function mountTokenApi(door: Door, tokens: AccessTokens): void {
  door.serve(AdminService, {
    listTokens: (request) => ({
      tokens: tokens.list(filterOf(request)).map(({ hash, outpoints, expiresAt }) => ({
        hash,
        outpoints,
        expiresAt: `${expiresAt}`,
      })),
    }),
    revokeTokens(request) {
      const filter = filterOf(request);
      if (Object.keys(filter).length === 0) throw malformed('say which tokens');
      return { revokedCount: tokens.revoke(filter) };
    },
  });
}
