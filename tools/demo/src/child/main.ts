/** One end of the work in a process of its own, with the library that its argument names. */
import type { Call, Calls, Reply } from './calls.js';
import type { Peer } from './peer.js';

async function load(library: string | undefined): Promise<Peer> {
  // Only the one that is measured, or each would carry the memory of the other.
  const { peer } = library === 'net' ? await import('./net.js') : await import('./sock.js');
  return peer;
}

function reply(message: Reply): void {
  process.send?.(message);
}

async function main(): Promise<void> {
  const peer = await load(process.argv[2]);
  const calls: Calls = {
    ...peer,
    readSlowly: (place) => peer.readSlowly(place, (bytes) => reply({ bytes })),
    // node:net has no means for it, and is not to carry the memory of what has.
    sumPassed: async (place) => (await import('./passed.js')).sumPassed(place),
    cpuMs: async () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
  };
  process.on('message', async ({ name, args }: Call) => {
    try {
      reply({ result: await Reflect.apply(calls[name], calls, args) });
    } catch (error) {
      reply({ error: error instanceof Error ? error.message : String(error) });
    }
  });
  // The demo is over, or was interrupted.
  process.on('disconnect', () => process.exit());
}

void main();
