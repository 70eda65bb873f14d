/** What all races over sockets have in common, however they are driven. */
import { channel } from 'node:diagnostics_channel';
import type { Socket } from '@sock/core';
import { binding } from '@sock/native';
import type { AddressMemory } from './address-memory.js';
import { type AttemptEvent, tellAttempt } from './diagnostics.js';
import type { Host } from './hostname.js';
import { Race, type RaceEvent, type RaceWorld } from './race.js';
import { type CheckedConfig, delayMaxMs, delayMinMs } from './race-config.js';
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

/**
 * How a race went.
 *
 * @param outcome The socket that a race gave, the error it failed with, or a {@link HappyEyeballs},
 * whose race may still go on.
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

const outcomes: Partial<Record<RaceEvent['type'], AttemptEvent['outcome']>> = {
  attempt: 'start',
  won: 'won',
  failed: 'failed',
  lost: 'cancelled',
};

/** What a race needs that is not the same for all. */
export type Ways = Pick<RaceWorld<Socket>, 'clock' | 'lookUp' | 'attempt'>;

export class SocketRace {
  private readonly race: Race<Socket>;

  constructor(
    ways: Ways,
    private readonly host: string,
    private readonly port: number,
    private readonly config: CheckedConfig,
  ) {
    const { memory, attemptDelayMs } = config;
    const world: RaceWorld<Socket> = {
      ...ways,
      sort: (addresses) =>
        sortAddresses(addresses, binding.sourceAddress, (address) => memory?.roundTrip(address)),
      tell: (event) => this.tell(event),
    };
    const delayMs = (address: string) => delayFor(attemptDelayMs, memory, address);
    this.race = new Race(world, host, port, { ...config, delayMs });
  }

  get isConnecting(): boolean {
    return this.race.isConnecting;
  }

  /** As {@link Race.run}. */
  run(won: (socket: Socket) => void, lost: (error: Error) => void): void {
    const end = (outcome: object, error: Error | undefined): void => {
      this.traceOn(outcome);
      if (!raceChannel.hasSubscribers) return;
      const { host, port } = this;
      raceChannel.publish({ host, port, trace: this.race.trace, error } satisfies RaceMessage);
    };
    this.race.run(
      this.config.signal,
      (socket) => {
        end(socket, undefined);
        won(socket);
      },
      (error) => {
        end(error, error);
        lost(error);
      },
    );
  }

  cancel(): void {
    this.race.cancel();
  }

  /** {@link raceTrace} finds it there. */
  traceOn(outcome: object): void {
    traces.set(outcome, this.race.trace);
  }

  private tell({ type, address, at, error }: RaceEvent): void {
    const outcome = outcomes[type];
    if (outcome === undefined || address === undefined) return;
    const { host: hostname, port, config } = this;
    const duration = outcome === 'start' ? undefined : at - this.startOf(address);
    if (outcome === 'won') config.memory?.remember(address, duration ?? 0);
    if (outcome === 'failed') config.memory?.forget(address);
    tellAttempt({ hostname, address, port, outcome, duration, error });
  }

  /** Each address is tried once. */
  private startOf(address: string): number {
    const isStart = (event: RaceEvent) => event.type === 'attempt' && event.address === address;
    return this.race.trace.find(isStart)?.at ?? 0;
  }
}

/** The addresses of a host that is one, in its own family only. */
export function literalAddresses(
  host: Host,
  family: 'ipv4' | 'ipv6',
): readonly string[] | undefined {
  if (host.kind === 'name') return undefined;
  return host.family === family ? [host.address] : [];
}
