/** The admin API of an Ark server: the one of the process running here, or one that a URL and a token name. */
import { type ConfigSource, resolveConfig } from '../runtime/config.ts';
import { OperatorError } from '../runtime/operator-error.ts';
import { environmentOf, REMOTE } from './options.ts';
import { callUrl, runningProcess } from './remote.ts';

/** Values of a query; those that are undefined are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Admin {
  readonly token: string;
  get<T>(path: string, query?: Query): Promise<T>;
  post<T>(path: string, body?: object): Promise<T>;
}

interface Door {
  readonly url: string;
  readonly token: string;
}

function doorOf(flags: ConfigSource): Door {
  const { url, token } = resolveConfig(REMOTE, [flags, environmentOf(process.env)]);
  if (url !== undefined && token !== undefined) return { url, token };
  if (url !== undefined) throw new OperatorError('CONFIG_INVALID', '--url needs the token that --token names');
  const { ark } = runningProcess(flags);
  return { url: ark.adminUrl, token: token ?? ark.adminToken };
}

export function openAdmin(flags: ConfigSource): Admin {
  const { url, token } = doorOf(flags);
  const at = (path: string, query: Query = {}): string => {
    const target = new URL(`/v1/admin/${path}`, url);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) target.searchParams.set(name, `${value}`);
    }
    return target.href;
  };
  return {
    token,
    get: (path, query) => callUrl(at(path, query), token),
    post: (path, body = {}) => callUrl(at(path), token, body),
  };
}
