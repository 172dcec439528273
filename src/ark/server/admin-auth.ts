/** The operator's call about the token that opens their own API. */
import type { AdminToken } from '../../runtime/token.ts';
import type { AdminService } from '../wire/gen/ark/v1/admin_pb.ts';
import { malformed, requiredText } from '../wire/request.ts';
import type { Calls } from './call.ts';

export const authCalls = (token: AdminToken): Partial<Calls<typeof AdminService>> => ({
  /** Whoever says the token that opens this very API gets another one for it, and it opens nothing any more. */
  async revokeAuth(request) {
    if (!token.matches(requiredText(request, 'token'))) throw malformed('invalid token');
    return { token: await token.renew() };
  },
});
