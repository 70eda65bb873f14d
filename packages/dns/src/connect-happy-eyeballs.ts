import {
  type HappyEyeballsError,
  type ResolveError,
  Socket,
  SocketError,
  type TimeoutError,
} from '@sock/core';
import { checkPort } from '@sock/native';
import { systemClock } from './clock.js';
import { HappyEyeballs } from './happy-eyeballs.js';
import { checkHost, type Family, type Host } from './hostname.js';
import { familyOf } from './interleave.js';
import { OwnPoll } from './own-poll.js';
import { checkConfig, type HappyEyeballsConfig, type RaceResolver } from './race-config.js';
import { Resolver } from './resolver.js';
import { literalAddresses, SocketRace, type Ways } from './socket-race.js';
import { lingering } from './waiter.js';

let sharedResolver: Resolver | undefined;

function shareResolver(): Resolver {
  sharedResolver ??= new Resolver();
  return sharedResolver;
}

/** As long as it is wanted, what the promise comes to. Returns the end of that. */
function whileWanted<T>(
  promise: Promise<T>,
  resolve: (value: T) => void,
  reject: (error: Error) => void,
): () => void {
  let isWanted = true;
  promise.then(
    (value) => {
      if (isWanted) resolve(value);
    },
    (error: Error) => {
      if (isWanted) reject(error);
    },
  );
  return () => {
    isWanted = false;
  };
}

async function find(
  host: Host,
  family: Family,
  resolver: RaceResolver,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const known = literalAddresses(host, family);
  if (known !== undefined || host.kind === 'literal') return known ?? [];
  const found = await resolver.resolve(host.name, 0, { family, signal });
  return found.map(({ address }) => address);
}

/** Connects by promises; without a descriptor to be had, it fails like any other. */
function attempt(
  port: number,
  address: string,
  connected: (socket: Socket) => void,
  failed: (error: Error) => void,
): () => void {
  let socket: Socket | undefined;
  const connect = async (): Promise<Socket> => {
    socket = new Socket({ family: familyOf(address) });
    try {
      socket.setNoDelay(true);
      await socket.connect(address, port, { timeout: Number.POSITIVE_INFINITY });
      return socket;
    } catch (error) {
      socket.close();
      throw error;
    }
  };
  const forget = whileWanted(connect(), connected, failed);
  return () => {
    forget();
    socket?.close();
  };
}

function waysOf(host: Host, port: number, resolver: RaceResolver): Ways {
  return {
    clock: systemClock,
    lookUp: (family, found, notFound) => {
      const controller = new AbortController();
      const forget = whileWanted(find(host, family, resolver, controller.signal), found, notFound);
      return (isWon) => {
        forget();
        controller.abort(isWon ? lingering : undefined);
      };
    },
    attempt: attempt.bind(undefined, port),
  };
}

/**
 * Connects to a host by whichever of its addresses answers first, as RFC 8305 says (Happy Eyeballs,
 * version 2): both families are looked up at a time, their addresses sorted and mixed, and tried
 * one after the other, each a quarter of a second after the last one and at once when one fails. A
 * family that does not work costs a moment instead of a timeout.
 *
 * It fits `race` of `connect` of `@sock/core`.
 *
 * @param host A name or literal address, as with {@link Resolver.resolve}.
 * @param port 1 to 65,535.
 * @param config See {@link HappyEyeballsConfig}. `timeout` in milliseconds, 0 to 2^31−1, for all of
 * it, lookups included; `Infinity` sets no limit, `undefined` leaves `totalTimeout`. `signal` gives
 * up, with `AbortError`, and leaves nothing behind.
 * @returns The connected socket, with TCP_NODELAY; it is yours to close. {@link raceTrace} tells
 * how it came about.
 * @throws TypeError, RangeError at the call when an argument is wrong.
 *
 * Rejects with {@link HappyEyeballsError}: its `errors` has one for each address, or those of the
 * lookups ({@link ResolveError}) when there was none; its `code` is that of the last. With
 * {@link TimeoutError} (`ERR_SOCK_TIMEOUT`) when all the time is over, attempts that had failed by
 * then in its `cause`.
 * @example
 * ```ts
 * const socket = await connectHappyEyeballs('example.org', 443, { timeout: 10_000 });
 * ```
 * @see RFC 8305
 */
export function connectHappyEyeballs(
  host: string,
  port: number,
  config?: HappyEyeballsConfig,
): Promise<Socket> {
  const target = checkHost(host);
  checkPort(port, 1);
  const checked = checkConfig(config);
  const ways = waysOf(target, port, checked.resolver ?? shareResolver());
  const race = new SocketRace(ways, host, port, checked);
  return new Promise((resolve, reject) => race.run(resolve, reject));
}

/**
 * As {@link HappyEyeballsConfig}, for a call that nothing can interrupt; the resolver is one of the
 * system engine, since c-ares needs the event loop.
 */
export type HappyEyeballsSyncConfig = Omit<HappyEyeballsConfig, 'signal' | 'resolver'> & {
  /** Looks the name up. Default: a resolver that all races of this thread share. */
  resolver?: Resolver | undefined;
};

function checkSyncResolver(value: RaceResolver | undefined): Resolver {
  const resolver = value ?? shareResolver();
  if (resolver instanceof Resolver && resolver.isCollectable) return resolver;
  const message = 'a race that blocks needs a Resolver of the system engine to look names up';
  throw new SocketError(message, { code: 'ERR_SOCK_UNSUPPORTED' });
}

/**
 * Blocks this thread's event loop: {@link connectHappyEyeballs}, the same race. For scripts, and
 * for workers.
 *
 * @param host As with {@link connectHappyEyeballs}.
 * @param port 1 to 65,535.
 * @param config See {@link HappyEyeballsSyncConfig}.
 * @returns The connected socket, with TCP_NODELAY; it is yours to close.
 * @throws What {@link connectHappyEyeballs} throws or rejects with; {@link SocketError} with
 * `ERR_SOCK_UNSUPPORTED` for a resolver that needs the event loop, `EMFILE`, `ENFILE`, `ENOMEM`.
 * @example
 * ```ts
 * const socket = connectHappyEyeballsSync('example.org', 443, { timeout: 10_000 });
 * ```
 */
export function connectHappyEyeballsSync(
  host: string,
  port: number,
  config?: HappyEyeballsSyncConfig,
): Socket {
  checkHost(host);
  checkPort(port, 1);
  const { resolver: given } = checkConfig(config, 'blocking');
  const { resolver: _, ...rest } = config ?? {};
  const resolver = checkSyncResolver(given);
  const poll = new OwnPoll();
  let race: HappyEyeballs | undefined;
  try {
    race = HappyEyeballs.start(resolver, poll, host, port, rest);
    while (!race.poll()) {
      poll.wait(race.nextTimeoutMs());
      race.process();
    }
    const socket = race.result();
    if (socket !== null) return socket;
    throw race.error;
  } finally {
    race?.close();
    poll.close();
  }
}
