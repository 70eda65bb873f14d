import { channel } from 'node:diagnostics_channel';
import { type HappyEyeballsError, type ResolveError, Socket, type TimeoutError } from '@sock/core';
import { binding, checkPort } from '@sock/native';
import type { AddressMemory } from './address-memory.js';
import { systemClock } from './clock.js';
import { checkHost, type Host } from './hostname.js';
import { familyOf } from './interleave.js';
import { type Attempt, Race, type RaceEvent, type RaceWorld } from './race.js';
import {
  type CheckedConfig,
  checkConfig,
  delayMaxMs,
  delayMinMs,
  type HappyEyeballsConfig,
  type RaceResolver,
} from './race-config.js';
import { Resolver } from './resolver.js';
import { sortAddresses } from './rfc6724.js';

/** What the diagnostics channel `sock:dns:race` tells when a race is over. */
export interface RaceMessage {
  /** The host that was asked for. */
  readonly host: string;
  /** The port that was asked for. */
  readonly port: number;
  /** All steps, in their order. */
  readonly trace: readonly RaceEvent[];
  /** Why it failed, or undefined when it was won. */
  readonly error: Error | undefined;
}

const raceChannel = channel('sock:dns:race');
const traces = new WeakMap<object, readonly RaceEvent[]>();
let sharedResolver: Resolver | undefined;

/**
 * How a race went.
 *
 * @param outcome The socket that {@link connectHappyEyeballs} gave, or the error it failed with.
 * @returns All steps in their order, or undefined when it comes from no race.
 */
export function raceTrace(outcome: unknown): readonly RaceEvent[] | undefined {
  return typeof outcome === 'object' && outcome !== null ? traces.get(outcome) : undefined;
}

/** RFC 6298, section 2: after one measurement a retransmission waits for three round trips. */
const roundTripsPerDelay = 3;

function delayFor(fixedMs: number, memory: AddressMemory | undefined, address: string): number {
  const roundTripMs = memory?.roundTrip(address);
  if (roundTripMs === undefined) return fixedMs;
  return Math.min(delayMaxMs, Math.max(delayMinMs, roundTripsPerDelay * roundTripMs));
}

function begin(address: string, port: number, memory: AddressMemory | undefined): Attempt<Socket> {
  const socket = new Socket({ family: familyOf(address) });
  const startMs = systemClock.now();
  const connect = async (): Promise<Socket> => {
    try {
      socket.setNoDelay(true);
      await socket.connect(address, port, { timeout: Number.POSITIVE_INFINITY });
    } catch (error) {
      socket.close();
      throw error;
    }
    memory?.remember(address, systemClock.now() - startMs);
    return socket;
  };
  return { connected: connect(), cancel: () => socket.close() };
}

/** Without a descriptor to be had, the attempt fails like any other. */
function attempt(address: string, port: number, memory: AddressMemory | undefined) {
  try {
    return begin(address, port, memory);
  } catch (error) {
    return { connected: Promise.reject(error as Error), cancel: () => {} };
  }
}

/** A literal is found at once, in its own family. */
async function lookUp(
  host: Host,
  family: 'ipv4' | 'ipv6',
  resolver: RaceResolver,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (host.kind === 'literal') return host.family === family ? [host.address] : [];
  const found = await resolver.resolve(host.name, 0, { family, signal });
  return found.map(({ address }) => address);
}

function shareResolver(): Resolver {
  if (sharedResolver === undefined) sharedResolver = new Resolver();
  return sharedResolver;
}

function worldOf(host: Host, port: number, config: CheckedConfig): RaceWorld<Socket> {
  const { memory } = config;
  const resolver = config.resolver ?? shareResolver();
  return {
    clock: systemClock,
    lookUp: (family, signal) => lookUp(host, family, resolver, signal),
    sort: (addresses) =>
      sortAddresses(addresses, binding.sourceAddress, (address) => memory?.roundTrip(address)),
    attempt: (address) => attempt(address, port, memory),
    close: (socket) => socket.close(),
  };
}

async function run(name: string, host: Host, port: number, config: CheckedConfig): Promise<Socket> {
  const { memory, attemptDelayMs } = config;
  const delayMs = (address: string) => delayFor(attemptDelayMs, memory, address);
  const race = new Race(worldOf(host, port, config), name, port, { ...config, delayMs });
  const end = (outcome: object, error: Error | undefined): void => {
    const { trace } = race;
    traces.set(outcome, trace);
    for (const { type, address } of trace) {
      if (type === 'failed' && address !== undefined) memory?.forget(address);
    }
    if (raceChannel.hasSubscribers) raceChannel.publish({ host: name, port, trace, error });
  };
  try {
    const socket = await race.run(config.signal);
    end(socket, undefined);
    return socket;
  } catch (error) {
    end(error as Error, error as Error);
    throw error;
  }
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
  return run(host, target, port, checkConfig(config));
}
