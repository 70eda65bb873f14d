import type { Socket } from '@sock/core';
import { FakeClock } from '@sock/testing';
import { AddressMemory } from './address-memory.js';
import { checkConfig } from './race-config.js';
import { SocketRace } from './socket-race.js';

/** When each address is tried, of three that never answer; the first of them is remembered. */
async function startsWith(roundTripMs: number | undefined): Promise<number[]> {
  const clock = new FakeClock();
  const memory = new AddressMemory();
  const starts: number[] = [];
  if (roundTripMs !== undefined) memory.remember('127.0.0.1', roundTripMs);
  const ways = {
    clock,
    lookUp: (family: string, found: (addresses: readonly string[]) => void) => {
      const addresses = family === 'ipv4' ? ['127.0.0.1', '127.0.0.2', '127.0.0.3'] : [];
      clock.setTimeout(() => found(addresses), 0);
      return () => {};
    },
    attempt: () => {
      starts.push(clock.now());
      return () => {};
    },
  };
  const config = checkConfig({ memory, attemptTimeout: 30_000, totalTimeout: 20_000 });
  new SocketRace(ways, 'host', 80, config).run(
    (_socket: Socket) => {},
    () => {},
  );
  await clock.advance(30_000);
  return starts;
}

describe('the delay between attempts', () => {
  // RFC 8305, section 5: MUST NOT be below 10 ms, SHOULD have an upper bound of 2 s.
  it.each([
    ['is 250 ms where nothing is known of an address', undefined, [0, 250, 500]],
    ['is three round trips where one is', 30, [0, 90, 340]],
    ['is 10 ms at least', 0.1, [0, 10, 260]],
    ['is 2 s at most', 5_000, [0, 2_000, 2_250]],
  ])('5: %s', async (_what, roundTripMs, starts) => {
    expect(await startsWith(roundTripMs)).toEqual(starts);
  });
});
