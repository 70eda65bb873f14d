/** Files into sockets: the bytes, the parts, the order, and what can go wrong on the way. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type SendableFile, Socket } from '@sock/core';
import {
  describeWithPeers,
  failureOf,
  openDescriptors,
  runScript,
  thrownBy,
  until,
  useFolder,
  within,
} from '@sock/testing';
import { Cleanup, connectedPair, type Family } from './support/states.js';

const sum = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const pieceMax = 256 * 1024;
/** More than any socket of these tests takes while nobody reads. */
const large = 32 * 1024 * 1024;

const file = useFolder();
let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.close());

function make(name: string, size: number): { path: string; bytes: Buffer } {
  const made = { path: file(name), bytes: randomBytes(size) };
  writeFileSync(made.path, made.bytes);
  return made;
}

async function readToEnd(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function pair(): [Socket, Socket] {
  const [near, far] = Socket.pair();
  return [cleanup.add(near), cleanup.add(far)];
}

describe.each<Family>(['ipv4', 'unix'])('a file sent over %s', (family) => {
  it.each<[string, (path: string) => Promise<[SendableFile, () => unknown]>]>([
    ['path', async (path) => [path, () => undefined]],
    [
      'descriptor',
      async (path) => {
        const fd = openSync(path, 'r');
        return [fd, () => closeSync(fd)];
      },
    ],
    [
      'FileHandle',
      async (path) => {
        const handle = await open(path);
        return [handle, () => handle.close()];
      },
    ],
  ])('by its %s arrives as it is', async (_, sourceOf) => {
    const { path, bytes } = make('whole', 5_000_003);
    const [source, close] = await sourceOf(path);
    const [near, far] = await connectedPair(cleanup, family);
    const received = readToEnd(far);
    expect(await near.sendFileAll(source)).toBe(bytes.length);
    await near.shutdown();
    expect(sum(await received)).toBe(sum(bytes));
    await close();
  });

  it('arrives as it is at a reader that takes its time', async () => {
    const { path, bytes } = make('whole', large);
    const [near, far] = await connectedPair(cleanup, family);
    const sent = near.sendFileAll(path).then(() => near.shutdown());
    const hash = createHash('sha256');
    for await (const chunk of far.chunks({ size: 1024 * 1024, reuse: true })) {
      hash.update(chunk);
      await nextTurn();
    }
    await sent;
    expect(hash.digest('hex')).toBe(sum(bytes));
  });

  it('keeps its place between the sends before and behind it', async () => {
    const { path, bytes } = make('middle', 3_000_000);
    const [near, far] = await connectedPair(cleanup, family);
    const received = readToEnd(far);
    const head = randomBytes(2_000_000);
    await Promise.all([
      near.sendAll('small'),
      near.sendAll('corked'),
      near.sendFileAll(path, { length: 10 }),
      near.sendAll(head),
      near.sendFileAll(path),
      near.sendAll('tail'),
      near.sendFile(path, { offset: 7, length: 5 }),
      near.shutdown(),
    ]);
    const parts = ['small', 'corked', bytes.subarray(0, 10), head, bytes, 'tail'];
    const expected = Buffer.concat(
      [...parts, bytes.subarray(7, 12)].map((part) => Buffer.from(part)),
    );
    expect(sum(await received)).toBe(sum(expected));
  });
});

describe('a part of a file', () => {
  it.each([
    ['from the middle to the end', { offset: 1_000 }, [1_000, 3_000]],
    ['of some length', { offset: 1_000, length: 500 }, [1_000, 1_500]],
    ['of length 0, which is all', { length: 0 }, [0, 3_000]],
    ['at the end', { offset: 3_000 }, [0, 0]],
    ['beyond the end', { offset: 3_001 }, [0, 0]],
    ['as far beyond as can be said', { offset: Number.MAX_SAFE_INTEGER }, [0, 0]],
  ])('%s', async (_, options, [from, to]) => {
    const { path, bytes } = make('part', 3_000);
    const expected = bytes.subarray(from, to).toString('hex');
    const [near, far] = pair();
    const received = readToEnd(far);
    const forms = [
      await near.sendFileAll(path, options),
      near.sendFileAllSync(path, options),
      await near.sendFile(path, options),
      near.sendFileSync(path, options),
      near.trySendFile(path, options),
    ];
    await near.shutdown();
    expect(forms).toEqual(Array(5).fill(expected.length / 2));
    expect((await received).toString('hex')).toBe(expected.repeat(5));
  });

  it('that ends before the length asked for is an error, which says what went', async () => {
    const { path } = make('short', 3_000);
    const [near] = pair();
    const sent = near.sendFileAll(path, { offset: 1_000, length: 2_001 });
    const behind = near.sendAll('behind');
    const expected = { code: 'ERR_SOCK_FILE_TOO_SHORT', bytesTransferred: 2_000 };
    expect(await failureOf(sent)).toMatchObject(expected);
    expect(await failureOf(behind)).toMatchObject({ code: 'ERR_SOCK_SEND_ABANDONED' });
    expect(thrownBy(() => near.sendFileAllSync(path, { length: 3_001 }))).toMatchObject({
      code: 'ERR_SOCK_FILE_TOO_SHORT',
      bytesTransferred: 3_000,
    });
  });

  it('is sent from its offset, wherever the descriptor stands, which is not moved', async () => {
    const { path, bytes } = make('part', 3_000);
    const handle = await open(path);
    await handle.read(Buffer.alloc(100));
    const [near, far] = pair();
    await near.sendFileAll(handle, { length: 4 });
    expect(await far.recv()).toEqual(bytes.subarray(0, 4));
    expect((await handle.read(Buffer.alloc(4))).buffer).toEqual(bytes.subarray(100, 104));
    await handle.close();
  });

  it('is nothing where the file has nothing', async () => {
    const { path } = make('empty', 0);
    const [near] = pair();
    expect(await near.sendFile(path)).toBe(0);
    expect(await near.sendFileAll(path)).toBe(0);
    expect(near.trySendFile(path)).toBe(0);
  });

  it('goes in pieces where not all of it is asked for', async () => {
    const { path } = make('large', large);
    const [near] = await connectedPair(cleanup);
    const first = await near.sendFile(path);
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThanOrEqual(pieceMax);
  });
});

it('a file of a kind that does not know its size is sent to its end', async () => {
  const [near, far] = pair();
  const expected = readFileSync('/proc/version');
  expect(await near.sendFileAll('/proc/version')).toBe(expected.length);
  expect(await far.recv()).toEqual(expected);
});

it('memory in the place of options is refused, though it has a length', () => {
  const [near, far] = Socket.pair();
  try {
    for (const options of [new Uint8Array(0), Object.create(Uint8Array.prototype)]) {
      expect(() => near.trySendFile('any', options)).toThrow('"options"');
    }
  } finally {
    near.close();
    far.close();
  }
});

it('a path of a seqpacket socket, and any other file, are refused', async () => {
  const [near, far] = Socket.pair('seqpacket');
  cleanup.add(near);
  cleanup.add(far);
  const { path } = make('any', 10);
  expect(await failureOf(near.sendFileAll(path))).toMatchObject({ code: 'EOPNOTSUPP' });
  expect(thrownBy(() => near.trySendFile(path))).toMatchObject({ code: 'EOPNOTSUPP' });
});

describe('what is not a regular file', () => {
  it.each([
    ['a folder', () => mkdirSync(file('it')), 'EINVAL'],
    ['a FIFO that nobody writes to', () => execFileSync('mkfifo', [file('it')]), 'EINVAL'],
    ['a device', () => execFileSync('ln', ['-s', '/dev/zero', file('it')]), 'EINVAL'],
    ['nothing', () => undefined, 'ENOENT'],
  ])('is refused with its path, and costs nothing: %s', async (_, prepare, code) => {
    prepare();
    const path = file('it');
    const before = openDescriptors().length;
    const [near, far] = pair();
    const expected = { code, path, bytesTransferred: 0 };
    expect(await failureOf(near.sendFile(path))).toMatchObject(expected);
    expect(await failureOf(near.sendFileAll(path))).toMatchObject(expected);
    expect(thrownBy(() => near.sendFileSync(path))).toMatchObject(expected);
    expect(thrownBy(() => near.trySendFile(path))).toMatchObject(expected);
    await near.sendAll('still good');
    expect(`${await far.recv()}`).toBe('still good');
    near.close();
    far.close();
    await until(1_000, () => openDescriptors().length <= before);
  });

  it('is refused as a descriptor as well: a socket, one that is closed', async () => {
    const [near, far] = pair();
    expect(await failureOf(near.sendFileAll(far))).toMatchObject({ code: 'EINVAL' });
    expect(await failureOf(near.sendFileAll(far.fd))).toMatchObject({ code: 'EINVAL' });
    const handle = await open(make('any', 10).path);
    await handle.close();
    expect(await failureOf(near.sendFileAll(handle))).toMatchObject({ code: 'EBADF' });
  });
});

describe('a file that changes while it is sent', () => {
  it('may lose its descriptor: the number can stand for something else by then', async () => {
    const { path, bytes } = make('whole', large);
    const other = make('other', 1_000);
    const [near, far] = await connectedPair(cleanup);
    const fd = openSync(path, 'r');
    const sent = near.sendFileAll(fd).then(() => near.shutdown());
    closeSync(fd);
    const reused = openSync(other.path, 'r');
    expect(reused).toBe(fd);
    expect(sum(await readToEnd(far))).toBe(sum(bytes));
    await sent;
    closeSync(reused);
  });

  it('ends where it is cut, and that is an error where a length was asked for', async () => {
    for (const length of [0, large]) {
      const { path, bytes } = make('cut', large);
      const [near, far] = await connectedPair(cleanup);
      const sent = near.sendFileAll(path, { length });
      const outcome = length === 0 ? sent : failureOf(sent);
      await until(5_000, () => far.tryRecv(1) !== null);
      truncateSync(path, large - 1_000_000);
      const rest = readToEnd(far);
      const count = large - 1_000_000;
      expect(await outcome).toEqual(
        length === 0
          ? count
          : expect.objectContaining({
              code: 'ERR_SOCK_FILE_TOO_SHORT',
              bytesTransferred: count,
            }),
      );
      near.close();
      expect(sum(await rest)).toBe(sum(bytes.subarray(1, count)));
    }
  });
});

describe('a file that is given up on', () => {
  /** Begins to send more than fits; resolves once some has gone, with a promise of the outcome. */
  async function begin(options: { signal?: AbortSignal; timeout?: number }) {
    const { path, bytes } = make('large', large);
    const [near, far] = await connectedPair(cleanup);
    const sent = failureOf(near.sendFileAll(path, options));
    await until(5_000, () => far.tryRecv(1) !== null);
    return { near, far, sent, bytes };
  }

  async function expectPart(
    { near, far, sent, bytes }: Awaited<ReturnType<typeof begin>>,
    code: string,
  ) {
    const behind = failureOf(near.sendAll('behind'));
    const error = (await within(5_000, sent)) as { code: string; bytesTransferred: number };
    expect(error).toMatchObject({ code });
    expect(await behind).toMatchObject({
      code: code === 'ERR_SOCK_CLOSED' ? code : 'ERR_SOCK_SEND_ABANDONED',
      bytesTransferred: 0,
    });
    near.close();
    const received = await readToEnd(far);
    expect(received.length + 1).toBe(error.bytesTransferred);
    expect(sum(received)).toBe(sum(bytes.subarray(1, error.bytesTransferred)));
  }

  it('by its signal tells how much is on its way', async () => {
    const controller = new AbortController();
    const begun = await begin({ signal: controller.signal });
    const expectation = expectPart(begun, 'ABORT_ERR');
    controller.abort();
    await expectation;
  });

  it('by its time limit tells how much is on its way', async () => {
    await expectPart(await begin({ timeout: 700 }), 'ERR_SOCK_TIMEOUT');
  });

  it('by closing the socket tells how much is on its way', async () => {
    const begun = await begin({});
    const expectation = expectPart(begun, 'ERR_SOCK_CLOSED');
    begun.near.close();
    await expectation;
  });

  it('before it began leaves the sends behind it alone', async () => {
    const [near, far] = await connectedPair(cleanup);
    const { path, bytes } = make('large', large);
    const first = near.sendAll(bytes);
    near.sendQueueMax = bytes.length + 4;
    const controller = new AbortController();
    const sent = failureOf(near.sendFileAll(path, { signal: controller.signal }));
    const last = near.sendAll('last').then(() => near.shutdown());
    controller.abort();
    expect(await sent).toMatchObject({ code: 'ABORT_ERR', bytesTransferred: 0 });
    expect(sum(await readToEnd(far))).toBe(sum(Buffer.concat([bytes, Buffer.from('last')])));
    await Promise.all([first, last]);
  });

  it('blocking, by its time limit tells how much is on its way', async () => {
    const { path } = make('large', large);
    const [near, far] = pair();
    const error = thrownBy(() => near.sendFileAllSync(path, { timeout: 20 }));
    expect(error).toMatchObject({ code: 'ERR_SOCK_TIMEOUT' });
    near.close();
    const { bytesTransferred } = error as unknown as { bytesTransferred: number };
    expect(await readToEnd(far)).toHaveLength(bytesTransferred);
  });
});

it('a file of which nothing fits now is null to the form that does not wait', async () => {
  const { path } = make('large', large);
  const [near, far] = pair();
  let count = 0;
  await until(5_000, () => {
    const sent = near.trySendFile(path, { offset: count });
    count += sent ?? 0;
    return sent === null && count > 0;
  });
  near.close();
  expect(await readToEnd(far)).toHaveLength(count);
});

it('a peer that resets the connection fails the file and what is behind it', async () => {
  const { path } = make('large', large);
  const [near, far] = await connectedPair(cleanup);
  await near.sendAll('unread');
  const sent = failureOf(near.sendFileAll(path));
  const behind = failureOf(near.sendAll('behind'));
  await nextTurn();
  far.close();
  const broken = expect.stringMatching(/^(EPIPE|ECONNRESET)$/);
  expect(await within(5_000, sent)).toMatchObject({ code: broken });
  expect(await behind).toMatchObject({ code: broken, bytesTransferred: 0 });
});

it('a file that is sent blocking goes behind those that wait, of files too', async () => {
  const { path, bytes } = make('large', 4_000_000);
  const [near, far] = await connectedPair(cleanup);
  far.setRecvBufferSize(8 * 1024 * 1024);
  const waiting = [near.sendFileAll(path), near.sendAll('between')];
  const reader = readToEnd(far);
  // Room for all of it is made by the kernel, or the blocking form would wait for this very thread.
  near.setSendBufferSize(16 * 1024 * 1024);
  near.sendFileAllSync(path, { length: 1_000, timeout: 5_000 });
  await Promise.all(waiting);
  await near.shutdown();
  const expected = Buffer.concat([bytes, Buffer.from('between'), bytes.subarray(0, 1_000)]);
  expect(sum(await reader)).toBe(sum(expected));
});

/** Sends files with system calls that fail, or take their time; tells what became of it. */
async function sendUnder(inject: readonly string[], more = '') {
  const { bytes, path } = make('whole', 3_000_003);
  const script = `
    const { createHash } = require('node:crypto');
    const { connect, listen } = require('@sock/core');
    const listener = listen({ host: '127.0.0.1' });
    const near = await connect({ host: '127.0.0.1', port: listener.localPort });
    const far = await listener.accept();
    listener.close();
    const hash = createHash('sha256');
    const received = (async () => { for await (const chunk of far) hash.update(chunk); })();
    ${more}
    const count = await near.sendFileAll(${JSON.stringify(path)});
    await near.shutdown();
    await received;
    near.close();
    far.close();
    console.log(JSON.stringify({ count, sum: hash.digest('hex') }));
  `;
  const { code, stdout, stderr, trace } = await runScript(script, { inject, limitMs: 30_000 });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ count: bytes.length, sum: sum(bytes) });
  const calls = trace.split('\n').filter((line) => !line.includes('INJECTED'));
  /** The calls of that name that did something, by the thread that made them. */
  const did = (name: string): string[] =>
    calls.flatMap((call) => {
      const [, thread, count] = RegExp(`^(\\d+) +${name}\\(.*= (\\d+)$`).exec(call) ?? [];
      return thread !== undefined && Number(count) > 0 ? [thread] : [];
    });
  return { did, output: JSON.parse(stdout) as Record<string, number> };
}

/** In the log, but as it is. */
const watched = (call: string) => `${call}:error=EINTR:when=60000`;

describeWithPeers(['strace that may trace'], 'a file, where the system', () => {
  it('can send it, goes that way alone', async () => {
    const { did } = await sendUnder(['sendfile', 'splice'].map(watched));
    expect(did('sendfile').length).toBeGreaterThan(0);
    expect(did('splice')).toEqual([]);
  });

  it.each(['EINVAL', 'ENOSYS', 'EOPNOTSUPP', 'EPERM'])(
    'refuses sendfile with %s, goes through a pipe',
    async (error) => {
      const { did } = await sendUnder([`sendfile:error=${error}`, watched('splice')]);
      expect(did('splice').length).toBeGreaterThan(1);
    },
  );

  it('refuses both, is copied', async () => {
    const rules = ['sendfile:error=EINVAL', 'splice:error=EINVAL', watched('sendto')];
    const { did } = await sendUnder(rules);
    expect(did('sendto').length).toBeGreaterThan(3_000_003 / 65_536);
  });

  it('refuses what is in the pipe already, is copied from there on', async () => {
    const rules = ['sendfile:error=EINVAL', 'splice:error=EINVAL:when=2+', watched('sendto')];
    const { did } = await sendUnder(rules);
    expect(did('splice')).toHaveLength(1);
    expect(did('sendto').length).toBeGreaterThan(3_000_003 / 65_536);
  });

  it('interrupts it, starts again where it was', async () => {
    await sendUnder(['sendfile:error=EINTR:when=1+2', 'preadv2:error=EINTR:when=1+3']);
  });

  it.each(['EAGAIN', 'EOPNOTSUPP', 'ENOSYS'])(
    'does not say that it is in memory (%s), is read by a thread first',
    async (error) => {
      const rules = [`preadv2:error=${error}`, watched('pread64'), watched('sendfile')];
      const { did } = await sendUnder(rules);
      const main = did('sendfile')[0];
      const byOthers = did('pread64').filter((thread) => thread !== main);
      expect(byOthers.length).toBeGreaterThan(3_000_003 / 65_536);
    },
  );

  it('reads slowly, leaves the event loop alone meanwhile', async () => {
    const { output } = await sendUnder(
      // A pread of 64 KiB takes 20 ms, so the whole of it takes close to a second.
      ['preadv2:error=EAGAIN', 'pread64:delay_enter=20000'],
      `
        let ticks = 0;
        const timer = setInterval(() => ticks++, 5);
        received.then(() => {
          clearInterval(timer);
          const { log } = console;
          console.log = (line) => log(JSON.stringify({ ...JSON.parse(line), ticks }));
        });
      `,
    );
    expect(output.ticks).toBeGreaterThan(50);
  });
});

it('a peer that is gone does not end a process that would not ignore SIGPIPE', async () => {
  const { path } = make('any', 1_000);
  const script = (form: string) => `
    const { Socket } = require('@sock/core');
    const listener = () => {};
    process.on('SIGPIPE', listener);
    // From here on the signal has its default effect again.
    process.off('SIGPIPE', listener);
    const [near, far] = Socket.pair();
    far.close();
    try {
      await near.${form}(${JSON.stringify(path)});
    } catch ({ code }) {
      console.log(code);
    }
    near.close();
  `;
  for (const form of ['sendFileAll', 'sendFileAllSync', 'trySendFile']) {
    const { code, signal, stdout } = await runScript(script(form));
    expect({ code, signal, stdout }).toEqual({ code: 0, signal: null, stdout: 'EPIPE\n' });
  }
});
