import { HappyEyeballsError, ResolveError, SocketError, TimeoutError } from '@sock/core';
import { FakeClock } from '@sock/testing';
import type { Family } from './hostname.js';
import { Race, type RaceConfig } from './race.js';

const infinite = Number.POSITIVE_INFINITY;

type Outcome = 'ok' | 'refused' | 'never';

/** After how many milliseconds what comes. A lookup that brings nothing has failed. */
interface Scenario {
  readonly ipv6?: readonly [atMs: number, ...addresses: string[]];
  readonly ipv4?: readonly [atMs: number, ...addresses: string[]];
  /** By address. One that is not here never answers. */
  readonly connects?: Readonly<Record<string, readonly [afterMs: number, Outcome]>>;
  readonly config?: Partial<RaceConfig>;
  readonly sort?: (addresses: readonly string[]) => readonly string[];
  readonly abortMs?: number;
}

const defaults: RaceConfig = {
  delayMs: () => 250,
  attemptTimeoutMs: 5_000,
  totalTimeoutMs: 30_000,
  resolutionDelayMs: 50,
  first: undefined,
  firstFamilyCount: 1,
  attemptsMax: infinite,
};

const ipv6First = (addresses: readonly string[]): string[] => [
  ...addresses.filter((address) => address.includes(':')),
  ...addresses.filter((address) => !address.includes(':')),
];

class World {
  readonly clock = new FakeClock();
  /** Connections that are being made, or were made and not closed. */
  readonly open = new Set<string>();
  /** Families that are being looked up. */
  readonly lookups = new Set<string>();
  /** Of lookups that were ended before their answer: whether because the race was won. */
  readonly ended: boolean[] = [];

  constructor(private readonly scenario: Scenario) {}

  lookUp(
    family: Family,
    found: (addresses: readonly string[]) => void,
    notFound: (error: Error) => void,
  ): (isWon: boolean) => void {
    const [atMs, ...addresses] = this.scenario[family] ?? [infinite];
    const details = { code: 'ENOTFOUND', gaiCode: -2, hostname: 'host' };
    this.lookups.add(family);
    const timer = this.later(atMs, () => {
      this.lookups.delete(family);
      if (addresses.length > 0) found(addresses);
      else notFound(new ResolveError(`no ${family}`, details));
    });
    return (isWon: boolean) => {
      this.ended.push(isWon);
      this.lookups.delete(family);
      this.clock.clearTimeout(timer);
    };
  }

  sort(addresses: readonly string[]): readonly string[] {
    return (this.scenario.sort ?? ipv6First)(addresses);
  }

  attempt(
    address: string,
    connected: (address: string) => void,
    failed: (error: Error) => void,
  ): () => void {
    const [afterMs, outcome] = this.scenario.connects?.[address] ?? [infinite, 'never'];
    this.open.add(address);
    const timer = this.later(outcome === 'never' ? infinite : afterMs, () => {
      if (outcome === 'ok') {
        connected(address);
        return;
      }
      this.open.delete(address);
      failed(new SocketError(`refused by ${address}`, { code: 'ECONNREFUSED', address }));
    });
    return () => {
      this.open.delete(address);
      this.clock.clearTimeout(timer);
    };
  }

  private later(afterMs: number, task: () => void): unknown {
    return afterMs === infinite ? undefined : this.clock.setTimeout(task, afterMs);
  }
}

async function play(scenario: Scenario) {
  const world = new World(scenario);
  const config = { ...defaults, ...scenario.config };
  const race = new Race(world, 'host', 80, config);
  const controller = new AbortController();
  let won: string | undefined;
  let error: Error | undefined;
  race.run(
    controller.signal,
    (address) => {
      won = address;
    },
    (reason) => {
      error = reason;
    },
  );
  const { abortMs = infinite } = scenario;
  if (abortMs < infinite) {
    await world.clock.advance(abortMs);
    controller.abort();
  }
  await world.clock.advance(100_000);
  const steps = race.trace
    .filter(({ type }) => type !== 'lookup' && type !== 'found' && type !== 'notFound')
    .map(({ at, type, address }) => `${at} ${type} ${address}`);
  return { world, race, won, error, steps };
}

/**
 * One row for each MUST and SHOULD of RFC 8305, sections 3 to 5, that concerns the race itself.
 * Those about sorting and history (section 4) are in rfc6724.test.ts and address-memory.test.ts,
 * the bounds of the delay (section 5) in socket-race.test.ts, late answers for the cache (section
 * 5) in lookups.test.ts. Section 3.1 is for the system's resolver.
 */
const table: readonly (readonly [section: string, says: string, Scenario, readonly string[]])[] = [
  [
    '3',
    'an AAAA answer that comes first starts the race at once, without the A answer',
    { ipv6: [20, '::6'], ipv4: [1_000, '0.0.0.4'], connects: { '::6': [10, 'ok'] } },
    ['20 attempt ::6', '30 won ::6'],
  ],
  [
    '3',
    'an A answer that comes first waits 50 ms for the AAAA answer, which then goes first',
    { ipv4: [10, '0.0.0.4'], ipv6: [59, '::6'], connects: { '::6': [10, 'ok'] } },
    ['59 attempt ::6', '69 won ::6'],
  ],
  [
    '3',
    'an A answer goes ahead when no AAAA answer comes within 50 ms',
    { ipv4: [10, '0.0.0.4'], ipv6: [70, '::6'], connects: { '0.0.0.4': [5, 'ok'] } },
    ['60 attempt 0.0.0.4', '65 won 0.0.0.4'],
  ],
  [
    '3',
    'a negative AAAA answer within the 50 ms ends the waiting',
    { ipv4: [10, '0.0.0.4'], ipv6: [20], connects: { '0.0.0.4': [5, 'ok'] } },
    ['20 attempt 0.0.0.4', '25 won 0.0.0.4'],
  ],
  [
    '3',
    'a negative AAAA answer that comes first leads to A, without waiting any more',
    { ipv6: [10], ipv4: [300, '0.0.0.4'], connects: { '0.0.0.4': [5, 'ok'] } },
    ['300 attempt 0.0.0.4', '305 won 0.0.0.4'],
  ],
  [
    '3',
    'a negative A answer changes nothing about AAAA',
    { ipv4: [10], ipv6: [300, '::6'], connects: { '::6': [5, 'ok'] } },
    ['300 attempt ::6', '305 won ::6'],
  ],
  [
    '3',
    'an AAAA answer that never comes does not keep A from connecting',
    { ipv4: [10, '0.0.0.4'], connects: { '0.0.0.4': [5, 'ok'] } },
    ['60 attempt 0.0.0.4', '65 won 0.0.0.4'],
  ],
  [
    '3',
    'an AAAA answer that comes while A is tried joins the race, as if it had been there',
    {
      ipv4: [0, '0.0.0.4', '0.0.0.5'],
      ipv6: [100, '::6'],
      connects: { '::6': [20, 'ok'] },
    },
    ['50 attempt 0.0.0.4', '300 attempt ::6', '320 won ::6', '320 lost 0.0.0.4'],
  ],
  [
    '3',
    'a late answer is tried at once when all before it have failed',
    {
      ipv4: [0, '0.0.0.4'],
      ipv6: [900, '::6'],
      connects: { '0.0.0.4': [5, 'refused'], '::6': [5, 'ok'] },
    },
    ['50 attempt 0.0.0.4', '55 failed 0.0.0.4', '900 attempt ::6', '905 won ::6'],
  ],
  [
    '4',
    'families take turns, beginning with the one that is sorted first',
    {
      ipv6: [0, '::6', '::7'],
      ipv4: [0, '0.0.0.4', '0.0.0.5', '0.0.0.6'],
      connects: { '0.0.0.6': [1, 'ok'] },
    },
    [
      ...['0 attempt ::6', '250 attempt 0.0.0.4', '500 attempt ::7', '750 attempt 0.0.0.5'],
      ...['1000 attempt 0.0.0.6', '1001 won 0.0.0.6'],
      ...['1001 lost ::6', '1001 lost 0.0.0.4', '1001 lost ::7', '1001 lost 0.0.0.5'],
    ],
  ],
  [
    '4',
    'a First Address Family Count of 2 lets two of the first family begin',
    {
      ipv6: [0, '::6', '::7', '::8'],
      ipv4: [0, '0.0.0.4'],
      config: { firstFamilyCount: 2 },
      connects: { '0.0.0.4': [1, 'ok'] },
    },
    [
      ...['0 attempt ::6', '250 attempt ::7', '500 attempt 0.0.0.4', '501 won 0.0.0.4'],
      ...['501 lost ::6', '501 lost ::7'],
    ],
  ],
  [
    '4',
    'the order within a family is that of the sorting',
    {
      ipv6: [0, '::6', '::7'],
      ipv4: [0],
      sort: (addresses) => addresses.toSorted().toReversed(),
      connects: { '::7': [1, 'ok'] },
    },
    ['0 attempt ::7', '1 won ::7'],
  ],
  [
    '4',
    'IPv4 begins where it is sorted first',
    {
      ipv6: [0, '::6'],
      ipv4: [0, '0.0.0.4'],
      config: { first: 'ipv4' },
      connects: { '::6': [1, 'ok'] },
    },
    ['0 attempt 0.0.0.4', '250 attempt ::6', '251 won ::6', '251 lost 0.0.0.4'],
  ],
  [
    '5',
    'attempts are not simultaneous: the next one begins 250 ms after the last',
    { ipv6: [0, '::6'], ipv4: [0, '0.0.0.4'], connects: { '::6': [260, 'ok'] } },
    ['0 attempt ::6', '250 attempt 0.0.0.4', '260 won ::6', '260 lost 0.0.0.4'],
  ],
  [
    '5',
    'an attempt that succeeds before is the only one',
    { ipv6: [0, '::6'], ipv4: [0, '0.0.0.4'], connects: { '::6': [249, 'ok'] } },
    ['0 attempt ::6', '249 won ::6'],
  ],
  [
    '5',
    'an attempt that fails lets the next one begin at once, and the delay counts from there',
    {
      ipv6: [0, '::6', '::7'],
      ipv4: [0, '0.0.0.4'],
      connects: { '::6': [100, 'refused'], '::7': [1, 'ok'] },
    },
    [
      ...['0 attempt ::6', '100 failed ::6', '100 attempt 0.0.0.4'],
      ...['350 attempt ::7', '351 won ::7', '351 lost 0.0.0.4'],
    ],
  ],
  [
    '5',
    'an attempt that fails although a later one runs lets another begin at once',
    {
      ipv6: [0, '::6', '::7'],
      ipv4: [0, '0.0.0.4'],
      connects: { '::6': [300, 'refused'], '::7': [1, 'ok'] },
    },
    [
      ...['0 attempt ::6', '250 attempt 0.0.0.4', '300 failed ::6', '300 attempt ::7'],
      ...['301 won ::7', '301 lost 0.0.0.4'],
    ],
  ],
  [
    '5',
    'a slow first attempt still wins when the others fail',
    {
      ipv6: [0, '::6'],
      ipv4: [0, '0.0.0.4'],
      connects: { '::6': [2_000, 'ok'], '0.0.0.4': [1, 'refused'] },
    },
    ['0 attempt ::6', '250 attempt 0.0.0.4', '251 failed 0.0.0.4', '2000 won ::6'],
  ],
  [
    '5',
    'the delay may follow what is known of an address',
    {
      ipv6: [0, '::6', '::7'],
      ipv4: [0, '0.0.0.4'],
      config: { delayMs: (address) => (address === '::6' ? 30 : 700) },
      connects: { '::7': [1, 'ok'] },
    },
    [
      ...['0 attempt ::6', '30 attempt 0.0.0.4', '730 attempt ::7', '731 won ::7'],
      ...['731 lost ::6', '731 lost 0.0.0.4'],
    ],
  ],
  [
    '8',
    'an attempt may have a time of its own, after which the next one begins',
    {
      ipv6: [0, '::6'],
      ipv4: [0, '0.0.0.4'],
      config: { attemptTimeoutMs: 100 },
      connects: { '0.0.0.4': [1, 'ok'] },
    },
    ['0 attempt ::6', '100 failed ::6', '100 attempt 0.0.0.4', '101 won 0.0.0.4'],
  ],
];

describe('a race, as RFC 8305 says in section', () => {
  it.each(table)('%s: %s', async (_section, _says, scenario, expected) => {
    const { steps, won, world } = await play(scenario);
    expect(steps).toEqual(expected);
    // Losers are closed, and nothing goes on.
    expect([...world.open]).toEqual([won]);
    expect(world.clock.pending + world.lookups.size).toBe(0);
  });

  it('3: asks for AAAA first and for A immediately after it', async () => {
    const { race } = await play({ ipv6: [0, '::6'], ipv4: [0], connects: { '::6': [1, 'ok'] } });
    expect(race.trace.slice(0, 2)).toEqual([
      { at: 0, type: 'lookup', family: 'ipv6' },
      { at: 0, type: 'lookup', family: 'ipv4' },
    ]);
    expect(race.trace[2]).toEqual({ at: 0, type: 'found', family: 'ipv6', addresses: ['::6'] });
  });
});

describe('a lookup that has not ended when the race has', () => {
  it('5: is told that its answer is still of use, when the race was won', async () => {
    const connects = { '::6': [10, 'ok'] } as const;
    const { world } = await play({ ipv6: [0, '::6'], ipv4: [500, '0.0.0.4'], connects });
    expect(world.ended).toEqual([true]);
  });

  it('is told that it is not, when the race was lost', async () => {
    const { world } = await play({ config: { totalTimeoutMs: 100 } });
    expect(world.ended).toEqual([false, false]);
  });
});

describe('a race that nobody wins', () => {
  it('tries every address, and has an error for each', async () => {
    const refused = [10, 'refused'] as const;
    const { error, steps, world } = await play({
      ipv6: [0, '::6', '::7'],
      ipv4: [0, '0.0.0.4'],
      connects: { '::6': refused, '::7': refused, '0.0.0.4': refused },
    });
    expect(steps.filter((step) => step.includes('attempt'))).toHaveLength(3);
    expect(error).toBeInstanceOf(HappyEyeballsError);
    expect(error).toMatchObject({
      code: 'ECONNREFUSED',
      retryable: true,
      hostname: 'host',
      port: 80,
      errors: [{ address: '::6' }, { address: '0.0.0.4' }, { address: '::7' }],
      message: 'connect host port 80: all 3 attempts failed; refused by ::7',
    });
    expect(world.open.size + world.clock.pending).toBe(0);
  });

  it('fails with the lookups when they bring nothing', async () => {
    const { error } = await play({ ipv6: [10], ipv4: [20] });
    expect(error).toBeInstanceOf(HappyEyeballsError);
    expect(error).toMatchObject({
      code: 'ENOTFOUND',
      errors: [{ message: 'no ipv6' }, { message: 'no ipv4' }],
      message: 'connect host port 80: no address found; no ipv4',
    });
  });

  it('waits for a lookup that may bring more, and fails without one', async () => {
    const { error, race } = await play({
      ipv4: [0, '0.0.0.4'],
      ipv6: [700],
      connects: { '0.0.0.4': [5, 'refused'] },
    });
    expect(error).toMatchObject({ code: 'ECONNREFUSED', errors: [{ address: '0.0.0.4' }] });
    expect(race.trace.at(-1)).toMatchObject({ at: 700, type: 'notFound' });
  });

  it('tries no more addresses than allowed', async () => {
    const { error, steps } = await play({
      ipv4: [0, '0.0.0.4', '0.0.0.5'],
      ipv6: [10_000],
      config: { attemptsMax: 1 },
      connects: { '0.0.0.4': [5, 'refused'] },
    });
    expect(steps).toEqual(['50 attempt 0.0.0.4', '55 failed 0.0.0.4']);
    expect(error).toMatchObject({ errors: [{ address: '0.0.0.4' }] });
  });

  it.each<[string, Scenario]>([
    ['lookups that never end', {}],
    ['attempts that never end', { ipv6: [0, '::6', '::7', '::8'], ipv4: [0, '0.0.0.4'] }],
  ])('ends when all the time is over, with %s', async (_what, scenario) => {
    const config = { totalTimeoutMs: 600, attemptTimeoutMs: infinite };
    const { error, world, race } = await play({ ...scenario, config });
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: 'ERR_SOCK_TIMEOUT', timeout: 600, port: 80 });
    expect(error?.cause).toBeUndefined();
    expect(world.open.size + world.clock.pending).toBe(0);
    expect(race.trace.every(({ at }) => at <= 600)).toBe(true);
  });

  it('tells with the timeout what had failed before', async () => {
    const { error } = await play({
      ipv6: [0, '::6'],
      ipv4: [0, '0.0.0.4'],
      config: { totalTimeoutMs: 600 },
      connects: { '::6': [10, 'refused'] },
    });
    expect(error).toMatchObject({
      code: 'ERR_SOCK_TIMEOUT',
      cause: { errors: [{ address: '::6' }] },
    });
  });

  it.each([0, 20, 300])(
    'ends at once by an abort after %d ms, and leaves nothing',
    async (abortMs) => {
      const { error, world, steps } = await play({
        ipv6: [10, '::6'],
        ipv4: [10, '0.0.0.4'],
        abortMs,
      });
      expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
      expect(world.open.size + world.clock.pending).toBe(0);
      expect(world.lookups.size).toBe(0);
      expect(steps.every((step) => Number.parseInt(step, 10) <= abortMs)).toBe(true);
    },
  );

  it('asks nobody with a signal that is aborted already', async () => {
    const world = new World({});
    const race = new Race(world, 'host', 80, defaults);
    const lost = jest.fn();
    race.run(AbortSignal.abort(), () => {}, lost);
    expect(lost).toHaveBeenCalledWith(expect.objectContaining({ code: 'ABORT_ERR' }));
    expect(race.trace).toEqual([]);
  });
});

describe('a race with two that connect at the same time', () => {
  it('has one winner, and closes the other', async () => {
    const { won, world } = await play({
      ipv6: [0, '::6'],
      ipv4: [0, '0.0.0.4'],
      connects: { '::6': [251, 'ok'], '0.0.0.4': [1, 'ok'] },
    });
    expect([...world.open]).toEqual([won]);
  });

  it('asks each address once, whichever lookup brings it', async () => {
    const { steps } = await play({
      ipv6: [0, '::6', '::6'],
      ipv4: [10, '::6'],
      connects: { '::6': [20, 'refused'] },
    });
    expect(steps).toEqual(['0 attempt ::6', '20 failed ::6']);
  });
});
