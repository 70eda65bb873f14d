import { FakeClock, Random, seeded, until, within } from '@sock/testing';

const never = () => new Promise<never>(() => undefined);

describe('within', () => {
  it('settles as the promise does', async () => {
    await expect(within(1000, Promise.resolve(1))).resolves.toBe(1);
    await expect(within(1000, Promise.reject(new Error('so it is')))).rejects.toThrow('so it is');
  });

  it('rejects when the promise takes longer, and says what did', async () => {
    await expect(within(5, never(), 'the answer')).rejects.toThrow(
      'the answer took longer than 25 ms',
    );
  });
});

describe('until', () => {
  it('waits for the condition', async () => {
    let looks = 0;
    await until(1000, () => ++looks === 3);
    expect(looks).toBe(3);
  });

  it('rejects when the condition does not come to hold', async () => {
    await expect(until(5, () => false, 'luck')).rejects.toThrow('luck did not hold within 25 ms');
  });
});

describe('FakeClock', () => {
  it('runs what falls due, in the order of time, each at its own', async () => {
    const clock = new FakeClock();
    const ran: string[] = [];
    const note = (name: string) => () => ran.push(`${name} at ${clock.now()}`);
    clock.setTimeout(note('b'), 20);
    clock.setTimeout(note('a'), 10);
    clock.setTimeout(note('c'), 20);
    clock.setTimeout(note('d'), 21);
    await clock.advance(20);
    expect(ran).toEqual(['a at 10', 'b at 20', 'c at 20']);
    expect(clock.now()).toBe(20);
    expect(clock.pending).toBe(1);
  });

  it('lets promises settle before the next timer, and runs the timers they set', async () => {
    const clock = new FakeClock();
    const wakeUps: number[] = [];
    const sleep = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
    const sleeper = (async () => {
      for (const ms of [5, 10, 15]) {
        await sleep(ms);
        wakeUps.push(clock.now());
      }
    })();
    await clock.advance(1000);
    await sleeper;
    expect(wakeUps).toEqual([5, 15, 30]);
  });

  it('forgets a timer that is cleared', async () => {
    const clock = new FakeClock();
    const task = jest.fn();
    clock.clearTimeout(clock.setTimeout(task, 1));
    await clock.advance(10);
    expect(task).not.toHaveBeenCalled();
  });
});

describe('seeded randomness', () => {
  const original = process.env.SOCK_SEED;
  afterEach(() => {
    if (original === undefined) delete process.env.SOCK_SEED;
    else process.env.SOCK_SEED = original;
  });

  it('is the same again for the same seed', () => {
    const [one, same, other] = [new Random(7), new Random(7), new Random(8)];
    const draw = (random: Random) => [
      random.integer(0, 1e9),
      random.bytes(40).toString('hex'),
      random.pick([1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ];
    expect(draw(one)).toEqual(draw(same));
    expect(draw(one)).not.toEqual(draw(other));
  });

  it('gives as many bytes as are wanted', () => {
    const random = new Random(1);
    for (const length of [0, 1, 3, 4, 5, 70_000]) expect(random.bytes(length)).toHaveLength(length);
  });

  it('says in the failure of a test which seed replays it', async () => {
    process.env.SOCK_SEED = '4711';
    const failing = seeded(async (random) => {
      throw new Error(`drew ${random.integer(0, 9)}`);
    });
    const drawn = new Random(4711).integer(0, 9);
    await expect(failing()).rejects.toThrow(`with SOCK_SEED=4711: drew ${drawn}`);
  });

  it('refuses a seed that is no integer', async () => {
    process.env.SOCK_SEED = 'lucky';
    await expect(seeded(async () => undefined)()).rejects.toThrow('SOCK_SEED is no integer: lucky');
  });
});
