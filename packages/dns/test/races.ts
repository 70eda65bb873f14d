/** For tests of races over real networks: hosts of two families, and what races do in scripts. */
import {
  type Namespace,
  type Network,
  openFaultyNetwork,
  openNetwork,
  type Peer,
  Random,
  type Rule,
  type ScriptOptions,
} from '@sock/testing';
import { filesFor } from './support.js';

/**
 * `race`, `raceSync` and `raceByHand`, alike but for how they wait; the last two never let the
 * event loop run. Each tells what became of the addresses, and how long it took.
 */
export const racing = `
  const {
    connectHappyEyeballs, connectHappyEyeballsSync, HappyEyeballs, raceTrace, AddressMemory,
  } = require('@sock/dns');
  const { connect } = require('@sock/core');
  const { SocketPoll } = require('@sock/poll');
  const stepsOf = (outcome) =>
    raceTrace(outcome)
      .filter(({ address }) => address !== undefined)
      .map(({ type, family }) => type + ' ' + family);
  const won = (socket, startMs) => {
    const tookMs = performance.now() - startMs;
    const address = socket.remoteAddress;
    socket.close();
    return { address, steps: stepsOf(socket), tookMs };
  };
  const lost = (error, startMs) => {
    const tookMs = performance.now() - startMs;
    const errors = error.errors?.map(({ code, address }) => code + ' ' + address);
    return { name: error.name, code: error.code, errors, steps: stepsOf(error), tookMs };
  };
  const race = async (host, port, config) => {
    const startMs = performance.now();
    try {
      return won(await connectHappyEyeballs(host, port, config), startMs);
    } catch (error) {
      return lost(error, startMs);
    }
  };
  const raceSync = (host, port, config) => {
    const startMs = performance.now();
    try {
      return won(connectHappyEyeballsSync(host, port, config), startMs);
    } catch (error) {
      return lost(error, startMs);
    }
  };
  const raceByHand = (host, port, config) => {
    const startMs = performance.now();
    const resolver = new Resolver();
    const poll = new SocketPoll();
    try {
      const race = HappyEyeballs.start(resolver, poll, host, port, config);
      while (!race.poll()) {
        for (const { data } of poll.waitSync()) if (data !== race) throw new Error('whose?');
        race.process();
      }
      if (poll.size !== 0) throw new Error(poll.size + ' left in the poll');
      const socket = race.result();
      if (race.result() !== null) throw new Error('twice');
      const [final, error] = [race.state, race.error];
      race.close();
      if (race.state !== final) throw new Error('it was final');
      return socket === null ? lost(error, startMs) : won(socket, startMs);
    } finally {
      poll.close();
      resolver.close();
    }
  };
  const forms = [race, raceSync, raceByHand];
`;

export interface Far<N extends Network = Network> {
  readonly network: N;
  readonly port: string;
  readonly options: ScriptOptions;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Both addresses of the far side under one name, and somebody who listens there. */
async function listenFar<N extends Network>(network: N): Promise<Far<N>> {
  const [ipv4, ipv6] = network.farAddresses;
  const { ready } = await serve(network.far);
  const options: ScriptOptions = {
    namespace: network.near,
    files: filesFor(`${ipv4} both.test\n${ipv6} both.test\n`),
  };
  return { network, port: ready[1] ?? '', options, ipv4, ipv6 };
}

function serve(namespace: Namespace): Promise<Peer> {
  const server = ['-u', '-m', 'http.server', '0', '--bind', '::'];
  return namespace.launch('python3', server, { ready: /port (\d+)/ });
}

/** Behind a cable, with packets treated so. */
export async function openFar(rules: readonly Rule[]): Promise<Far> {
  const far = await listenFar(await openNetwork());
  if (rules.length > 0) await far.network.far.filter(rules);
  return far;
}

/** Behind the relay, where each family can answer late. */
export async function openLate(delaysMs: { ipv4: number; ipv6: number }) {
  const far = await listenFar(await openFaultyNetwork(new Random(1)));
  await far.network.set({ version: 4, delayMs: delaysMs.ipv4 });
  await far.network.set({ version: 6, delayMs: delaysMs.ipv6 });
  return far;
}

/** TCP packets of a family. */
export const over = (family: 'ip' | 'ip6', verdict: string): Rule => ({
  match: `meta nfproto ${family === 'ip' ? 'ipv4' : 'ipv6'} meta l4proto tcp`,
  verdict,
});
