/** The operator's calls about what the server asks of its clients: fees, settings, scheduled sessions. */
import type { AdminService } from '../wire/gen/ark/v1/admin_pb.ts';
import { requiredMessage } from '../wire/request.ts';
import { printFees, printSession, printSettings, readFees } from '../wire/settings.ts';
import type { Calls } from './call.ts';
import type { LiveSettings } from './live-settings.ts';

export const termCalls = (settings: LiveSettings): Partial<Calls<typeof AdminService>> => ({
  getIntentFees: () => ({ fees: printFees(settings.usual().intentFee) }),
  async updateIntentFees(request) {
    const fees = requiredMessage(request, 'fees');
    await settings.updateFees((before) => readFees(fees, before));
    return {};
  },
  async clearIntentFees() {
    await settings.updateFees(() => readFees({}));
    return {};
  },

  getSettings: () => ({ settings: printSettings(settings.usual(), settings.updatedAt()) }),
  updateSettings: async (request) => ({ changeLog: await settings.update(requiredMessage(request, 'settings')) }),

  getScheduledSessionConfig() {
    const session = settings.session();
    return { config: session ? printSession(session) : null };
  },
  async updateScheduledSessionConfig(request) {
    await settings.schedule(requiredMessage(request, 'config'));
    return {};
  },
  async clearScheduledSessionConfig() {
    await settings.clearSchedule();
    return {};
  },
});
