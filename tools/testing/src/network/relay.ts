import { join } from 'node:path';
import { launch, type Peer } from '../launch.js';
import type { Random } from '../random.js';
import { joinBy, Namespace, type Network } from './namespace.js';

const addresses = {
  nearAddresses: ['10.98.0.1', 'fd98::1'],
  farAddresses: ['10.98.0.2', 'fd98::2'],
} as const;

/** A line between two namespaces that can be slow, lossy, disorderly, or dead. */
export interface FaultyNetwork extends Network {
  /**
   * From now on packets take so long in each direction, so many are lost, 0 to 1, and so many are
   * held back for others to overtake, 0 to 1. Those of one version of IP only, if it is named.
   */
  set(faults: {
    delayMs?: number;
    loss?: number;
    reorder?: number;
    version?: 4 | 6;
  }): Promise<void>;
}

/** Answers are counted, so that a second command does not take the first one's for its own. */
async function command(relay: Peer, count: number, faults: object): Promise<void> {
  relay.stdin.write(`${JSON.stringify(faults)}\n`);
  await relay.printed(new RegExp(`(ok\\n){${count}}`));
}

/** Two namespaces joined by a relay of ours. The random decides what becomes of packets. */
export async function openFaultyNetwork(random: Random): Promise<FaultyNetwork> {
  const [near, far] = await Promise.all([Namespace.open(), Namespace.open()]);
  const seed = random.integer(0, 2 ** 31 - 1);
  const script = join(__dirname, 'relay.py');
  const args = [script, String(near.pid), String(far.pid), String(seed)];
  const relay = await launch('python3', args, { ready: /ready/ });
  const network = await joinBy('tun0', { near, far, ...addresses });
  let commands = 0;
  return { ...network, set: (faults) => command(relay, ++commands, faults) };
}
