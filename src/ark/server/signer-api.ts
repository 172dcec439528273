/** The operator's calls about signer keys (`/v1/admin/signer`). */
import { fromHex } from '../../base/bytes.ts';
import { SignerManagerService } from '../wire/gen/ark/v1/signer_manager_pb.ts';
import { malformed, requiredText, text, whole } from '../wire/request.ts';
import { ADMIN_ROUTES } from '../wire/routes.ts';
import type { Door } from './door.ts';
import { bodyOf } from './rest.ts';
import type { SignerKeys } from './signer-keys.ts';

/** Unix seconds, 0 for none. */
function cutoffOf(value: unknown): number {
  const cutoff = whole(value, 'cutoffDate');
  if (cutoff < 0) throw malformed('cutoffDate must not be negative');
  return cutoff;
}

function secretOf(hex: string): Uint8Array {
  if (!/^[0-9a-fA-F]{64}$/.test(hex)) throw malformed('signerPrivateKey must be 64 hex digits');
  return fromHex(hex);
}

export function mountSignerApi(door: Door, signers: SignerKeys): void {
  door.on(ADMIN_ROUTES.signers, () => ({
    signers: signers.list().map(({ publicKey, generation, state, cutoff, createdAt }) => ({
      pubkey: publicKey,
      origin: generation === undefined ? 'loaded' : 'derived',
      generation: generation ?? null,
      state,
      cutoffDate: `${cutoff}`,
      createdAt: `${createdAt}`,
    })),
  }));
  door.serve(SignerManagerService, {
    async loadSigner(request) {
      if (text(request, 'signerUrl') !== '') throw malformed('a signer elsewhere is not supported');
      const secret = secretOf(requiredText(request, 'signerPrivateKey'));
      // The protobuf knows no cutoff; over REST one may come along.
      await signers.load(secret, cutoffOf(request.cutoffDate));
      return {};
    },
  });
  door.on(ADMIN_ROUTES.rotateSigner, async (c) => ({
    pubkey: await signers.rotate(cutoffOf((await bodyOf(c)).cutoffDate)),
  }));
  door.on(ADMIN_ROUTES.deprecateSigner, async (c) => {
    const body = await bodyOf(c);
    await signers.deprecate(requiredText(body, 'pubkey'), cutoffOf(body.cutoffDate));
    return {};
  });
  door.on(ADMIN_ROUTES.retireSigner, async (c) => {
    await signers.retire(requiredText(await bodyOf(c), 'pubkey'));
    return {};
  });
}
