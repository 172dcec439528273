import { OperatorError } from '../../runtime/operator-error.ts';
import type { Admin } from '../admin.ts';
import { table, when } from '../table.ts';
import { command } from './command.ts';
import { text } from './options.ts';

const FILTER = {
  accessToken: text('TOKEN', 'this token'),
  hash: text('HASH', 'tokens of this set of outpoints, by its hash'),
  outpoint: text('OUTPOINT', 'tokens that open this outpoint, txid:vout'),
  txid: text('TXID', 'tokens that open outputs of this transaction'),
};

interface Filter {
  readonly accessToken: string | undefined;
  readonly hash: string | undefined;
  readonly outpoint: string | undefined;
  readonly txid: string | undefined;
}

const bodyOf = ({ accessToken, ...others }: Filter) => ({ token: accessToken, ...others });

export const ACCESS = [
  command<{ token: string }>({
    usage: 'token renew',
    help: 'draw a new admin token and print it; the one in use opens nothing any more',
    ask: (admin) => renew(admin),
    show: ({ token }) => `${token}\n`,
  }),
  command({
    usage: 'tokens list',
    help: "tokens by which owners read the indexer's private parts",
    options: FILTER,
    ask: (
      admin,
      _args,
      filter,
    ): Promise<{ tokens: readonly { hash: string; outpoints: readonly string[]; expiresAt: string }[] }> =>
      admin.post('tokens', bodyOf(filter)),
    show: ({ tokens }) =>
      table(
        ['hash', 'until (UTC)', 'outpoints'],
        tokens.map(({ hash, expiresAt, outpoints }) => [hash, when(expiresAt), outpoints.join(' ')]),
      ),
  }),
  command({
    usage: 'tokens revoke',
    help: 'make such tokens open nothing any more',
    options: FILTER,
    ask(admin, _args, filter): Promise<{ revokedCount: number }> {
      if (Object.values(filter).every((value) => value === undefined)) {
        throw new OperatorError('CONFIG_INVALID', 'say which: --access-token, --hash, --outpoint or --txid');
      }
      return admin.post('tokens/revoke', bodyOf(filter));
    },
    show: ({ revokedCount }) => `${revokedCount} revoked\n`,
  }),
];

const renew = (admin: Admin): Promise<{ token: string }> => admin.post('auth/revoke', { token: admin.token });
