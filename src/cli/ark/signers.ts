import { text as readText } from 'node:stream/consumers';
import type { Admin } from '../admin.ts';
import { table, when } from '../table.ts';
import { command, done } from './command.ts';
import { moment } from './options.ts';

interface Signer {
  readonly pubkey: string;
  readonly origin: string;
  readonly state: string;
  readonly cutoffDate: string;
}

const CUTOFF = {
  cutoff: moment('when the key before stops signing: a date, unix seconds, or like +7d (default: not yet)'),
};
const cutoffOf = ({ cutoff }: { readonly cutoff: number | undefined }) =>
  cutoff === undefined ? {} : { cutoffDate: cutoff };

const signers = (admin: Admin): Promise<{ signers: readonly Signer[] }> => admin.get('signer');
const printKey = ({ pubkey }: { readonly pubkey: string }): string => `${pubkey}\n`;

/** The keys under which the server cosigns VTXOs. */
export const SIGNERS = [
  command({
    usage: 'signer list',
    help: 'the signer keys, past and present',
    ask: signers,
    show: (answer) =>
      table(
        ['public key', 'state', 'origin', 'until (UTC)'],
        answer.signers.map(({ pubkey, state, origin, cutoffDate }) => [pubkey, state, origin, when(cutoffDate)]),
      ),
  }),
  command({
    usage: 'signer rotate',
    help: 'go over to a fresh signer key; prints it',
    options: CUTOFF,
    ask: (admin, _args, options): Promise<{ pubkey: string }> => admin.post('signer/rotate', cutoffOf(options)),
    show: printKey,
  }),
  command({
    usage: 'signer load',
    help: 'go over to a signer key of your own, its 64 hex digits read from stdin; prints its public key',
    options: CUTOFF,
    /** The key comes on stdin, since arguments are seen by everybody on the machine. */
    async ask(admin, _args, options): Promise<{ pubkey: string }> {
      const signerPrivateKey = (await readText(process.stdin)).trim();
      await admin.post('signer', { signerPrivateKey, ...cutoffOf(options) });
      const { pubkey } = (await signers(admin)).signers.find(({ state }) => state === 'current')!;
      return { pubkey };
    },
    show: printKey,
  }),
  command({
    usage: 'signer deprecate <PUBKEY>',
    help: 'give an older signer key another cutoff',
    options: CUTOFF,
    ask: (admin, [pubkey], options) => admin.post('signer/deprecate', { pubkey, ...cutoffOf(options) }),
    show: done,
  }),
  command({
    usage: 'signer retire <PUBKEY>',
    help: 'sign with an older signer key no more, and tell clients nothing of it',
    ask: (admin, [pubkey]) => admin.post('signer/retire', { pubkey }),
    show: done,
  }),
];
