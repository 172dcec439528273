import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { type DescService, getOption } from '@bufbuild/protobuf';
import { AdminService } from '../../src/ark/wire/gen/ark/v1/admin_pb.ts';
import { IndexerService } from '../../src/ark/wire/gen/ark/v1/indexer_pb.ts';
import { ArkService } from '../../src/ark/wire/gen/ark/v1/service_pb.ts';
import { SignerManagerService } from '../../src/ark/wire/gen/ark/v1/signer_manager_pb.ts';
import { WalletInitializerService, WalletService } from '../../src/ark/wire/gen/ark/v1/wallet_pb.ts';
import { http } from '../../src/ark/wire/gen/google/api/annotations_pb.ts';
import { ARK_ROUTES, INDEXER_ROUTES, type Route } from '../../src/ark/wire/routes.ts';

test('the generated code is what the protobufs make', () => {
  const script = join(import.meta.dirname, '..', '..', 'scripts', 'proto.ts');
  execFileSync(process.execPath, [script, '--check']);
});

/** Method and path with every parameter named alike: a client may call them what it likes. */
const shape = ({ method, path }: Route): string => `${method} ${path.replace(/:[\w.]+/g, ':_')}`;

const annotated = (...services: DescService[]): string[] =>
  services.flatMap(({ methods }) =>
    methods.flatMap((method) => {
      const rule = getOption(method, http);
      return [rule, ...rule.additionalBindings].map(({ pattern }) =>
        shape({
          method: pattern.case === 'get' ? 'GET' : 'POST',
          path: `${pattern.value}`.replace(/\{([\w.]+)\}/g, ':$1'),
        }),
      );
    }),
  );

test('every route of a client is one that a service is mounted at', () => {
  const served = new Set(annotated(ArkService, IndexerService));
  assert.deepEqual(
    [...Object.values(ARK_ROUTES), ...Object.values(INDEXER_ROUTES)].map(shape).filter((each) => !served.has(each)),
    [],
  );
});

test('no two methods share a route', () => {
  for (const services of [
    [ArkService, IndexerService],
    [AdminService, WalletInitializerService, WalletService, SignerManagerService],
  ]) {
    const routes = annotated(...services);
    assert.deepEqual(routes, [...new Set(routes)]);
  }
});
