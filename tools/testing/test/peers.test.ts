import { readFileSync } from 'node:fs';
import { describeWithPeers, launch, missingPeers, stopPeers, until, within } from '@sock/testing';

const { env } = process;

/** A process that has ended but that nobody has asked about yet is not alive. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('launch', () => {
  afterEach(stopPeers);

  it('waits for the line that says that a peer is ready', async () => {
    const { ready } = await launch('sh', ['-c', 'sleep 0.05; echo port 4242 >&2; sleep 60'], {
      ready: /port (\d+)/,
    });
    expect(ready[1]).toBe('4242');
  });

  it('rejects, with what it printed, when a peer ends before it is ready', async () => {
    const peer = launch('sh', ['-c', 'echo no such thing >&2'], { ready: /port/ });
    await expect(peer).rejects.toThrow(/ended before it printed .*\n.*no such thing/s);
  });

  it('rejects when there is no such program', async () => {
    await expect(launch('no-such-program', [], { ready: /x/ })).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  it('gives a peer its input and collects its output', async () => {
    const peer = await launch('cat', [], { input: 'to and fro' });
    const { stdout } = await peer.succeeded();
    expect(stdout.toString()).toBe('to and fro');
  });

  it('reports a peer that ends in disorder', async () => {
    const peer = await launch('sh', ['-c', 'echo broken >&2; exit 3']);
    await expect(peer.succeeded()).rejects.toThrow('sh ended with 3\nbroken');
  });

  it('keeps a sanitizer to itself', async () => {
    const before = env.LD_PRELOAD;
    env.LD_PRELOAD = '/no/such/library.so';
    try {
      const { stdout, stderr } = await (await launch('env', [])).succeeded();
      expect(stdout.toString()).not.toContain('LD_PRELOAD');
      expect(stderr).toBe('');
    } finally {
      if (before === undefined) delete env.LD_PRELOAD;
      else env.LD_PRELOAD = before;
    }
  });

  it('ends a peer and what that has started', async () => {
    const peer = await launch('sh', ['-c', 'sleep 60 & echo child $!; wait'], {
      ready: /child (\d+)/,
    });
    const child = Number(peer.ready[1]);
    expect(isAlive(child)).toBe(true);
    await within(2_000, stopPeers());
    expect(isAlive(peer.pid)).toBe(false);
    await until(2_000, () => !isAlive(child), 'the end of its child');
  });
});

describe('describeWithPeers', () => {
  const required = env.SOCK_REQUIRE_PEERS;
  afterEach(() => {
    jest.restoreAllMocks();
    if (required === undefined) delete env.SOCK_REQUIRE_PEERS;
    else env.SOCK_REQUIRE_PEERS = required;
  });

  it('knows a program that is missing', () => {
    expect(missingPeers(['sh', 'no-such-program'])).toEqual(['no-such-program']);
  });

  it('describes as usual where all peers are here', () => {
    const describeMock = jest.spyOn(globalThis, 'describe').mockImplementation();
    describeWithPeers(['sh'], 'talks to sh', () => undefined);
    expect(describeMock).toHaveBeenCalledWith('talks to sh', expect.any(Function));
  });

  it('skips under a name that says what is missing', () => {
    delete env.SOCK_REQUIRE_PEERS;
    const skip = jest.spyOn(describe, 'skip').mockImplementation();
    const body = () => undefined;
    describeWithPeers(['sh', 'no-such-program'], 'talks', body);
    expect(skip).toHaveBeenCalledWith('talks (needs no-such-program)', body);
  });

  it('fails where the peers are required', () => {
    env.SOCK_REQUIRE_PEERS = '1';
    jest.spyOn(globalThis, 'describe').mockImplementation((_name, body) => body());
    const tests: (() => void)[] = [];
    jest.spyOn(globalThis, 'it').mockImplementation((_name, test) => {
      tests.push(test as () => void);
    });
    describeWithPeers(['no-such-program'], 'talks', () => undefined);
    expect(tests).toHaveLength(1);
    expect(tests[0]).toThrow('needs no-such-program, which SOCK_REQUIRE_PEERS=1 requires');
  });
});
