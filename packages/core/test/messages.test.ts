/** Messages with descriptors and credentials beside their bytes. */
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import {
  type ListeningSocket,
  listen,
  type ReceivedFd,
  type ReceivedMessage,
  Socket,
} from '@sock/core';
import {
  describeWithPeers,
  expectSockets,
  failureOf,
  isPending,
  launch,
  openDescriptors,
  openSockets,
  readToEnd,
  thrownBy,
  until,
  useFolder,
} from '@sock/testing';
import { Cleanup, connectedPair } from './support/states.js';

const tooMuch = 16 * 1024 * 1024;
const pathTo = useFolder();

let cleanup: Cleanup;
let before: number;
beforeEach(() => {
  cleanup = new Cleanup();
  before = openSockets();
});
afterEach(async () => {
  cleanup.close();
  await expectSockets(before);
});

function pair(type: 'stream' | 'seqpacket' = 'stream'): [Socket, Socket] {
  const [near, far] = Socket.pair(type);
  return [cleanup.add(near), cleanup.add(far)];
}

/** A descriptor of a file with that content, closed when the test is over. */
function fileWith(content: string): number {
  const path = pathTo(`file-${content}`);
  writeFileSync(path, content);
  const fd = openSync(path, 'r');
  cleanup.add({ close: () => closeSync(fd) });
  return fd;
}

function readWhole({ fd }: ReceivedFd): string {
  const memory = Buffer.alloc(100);
  return memory.toString('utf8', 0, readSync(fd, memory, 0, 100, 0));
}

const isCloseOnExec = ({ fd }: ReceivedFd): boolean => {
  const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
  return (Number.parseInt(flags ?? '', 8) & 0o2000000) !== 0;
};

function only({ fds }: ReceivedMessage): ReceivedFd {
  expect(fds).toHaveLength(1);
  return cleanup.add(fds[0] as ReceivedFd);
}

describe('a descriptor that is passed', () => {
  it.each(['stream', 'seqpacket'] as const)('arrives with its bytes, over %s', async (type) => {
    const [near, far] = pair(type);
    expect(await near.sendMsg({ data: 'the file', fds: [fileWith('content')] })).toBe(8);
    const message = await far.recvMsg();
    const received = only(message);
    expect({ ...message, data: String(message.data) }).toEqual({
      data: 'the file',
      fds: [received],
      credentials: undefined,
      flags: { truncated: false, controlTruncated: false },
    });
    expect(readWhole(received)).toBe('content');
    expect(isCloseOnExec(received)).toBe(true);
  });

  it('may be a number, a socket, a FileHandle, or one that was received', async () => {
    const [near, far] = pair();
    const handle = await open(pathTo('handle'), 'w+');
    const [passed] = pair();
    await near.sendMsg({ data: 'x', fds: [fileWith('number'), handle, passed] });
    const { fds } = await far.recvMsg();
    for (const received of fds) cleanup.add(received);
    expect(fds).toHaveLength(3);
    await handle.write('handle');
    await handle.close();
    await near.sendMsg({ data: 'y', fds: [fds[1] as ReceivedFd] });
    expect(readWhole(only(await far.recvMsg()))).toBe('handle');
  });

  it('has every tempo', async () => {
    const [near, far] = pair();
    const fds = [fileWith('content')];
    expect(far.tryRecvMsg()).toBeNull();
    expect(near.trySendMsg({ data: 'ab', fds })).toBe(2);
    expect(readWhole(only(far.recvMsgSync()))).toBe('content');
    expect(near.sendMsgSync({ data: ['c', 'de'], fds })).toBe(3);
    const message = far.tryRecvMsg() as ReceivedMessage;
    expect(String(message.data)).toBe('cde');
    expect(readWhole(only(message))).toBe('content');
    expect(thrownBy(() => far.recvMsgSync(1, { timeout: 1 }))).toMatchObject({
      code: 'ERR_SOCK_TIMEOUT',
    });
  });

  it('arrives where a receive waits, and 253 of them at once do', async () => {
    const [near, far] = pair();
    const waiting = far.recvMsg(5);
    expect(await isPending(waiting)).toBe(true);
    const fd = fileWith('content');
    await near.sendMsg({ data: 'many', fds: new Array(253).fill(fd) });
    const { fds } = await waiting;
    for (const received of fds) cleanup.add(received);
    expect(new Set(fds.map((received) => received.fd)).size).toBe(253);
    const more = { data: 'x', fds: new Array(254).fill(fd) };
    expect(thrownBy(() => near.trySendMsg(more))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
  });

  it('leaves nothing open, however often', async () => {
    const [near, far] = pair();
    const fd = fileWith('content');
    const rounds = async (count: number): Promise<void> => {
      for (let round = 0; round < count; round++) {
        await near.sendMsg({ data: 'x', fds: [fd, near] });
        const { fds } = await far.recvMsg();
        for (const received of fds) received.close();
        await near.sendMsg({ data: 'y', fds: [fd] });
        using received = (await far.recvMsg()).fds[0];
        expect(received?.fd).toBeGreaterThan(2);
        await near.sendMsg({ data: 'z', fds: [fd] });
        await far.recv();
      }
    };
    await rounds(1);
    const open = openDescriptors().length;
    await rounds(500);
    expect(openDescriptors()).toHaveLength(open);
  });

  it('is closed by the kernel where a plain receive takes its bytes', async () => {
    const open = openDescriptors().length;
    const [near, far] = pair();
    const [passed, watched] = Socket.pair();
    for (const receive of [() => far.recv(), () => far.recvv([Buffer.alloc(9)])]) {
      await near.sendMsg({ data: 'x', fds: [passed] });
      await receive();
    }
    passed.close();
    // Nobody has the other end any more.
    await expect(watched.recv()).rejects.toMatchObject({ code: 'ERR_SOCK_EOF' });
    watched.close();
    cleanup.close();
    await until(2_000, () => openDescriptors().length <= open);
  });

  it('is closed with the socket that nobody received it from', async () => {
    const [near, far] = pair();
    const [passed, watched] = Socket.pair();
    cleanup.add(watched);
    await near.sendMsg({ data: 'x', fds: [passed] });
    passed.close();
    far.close();
    near.close();
    await expect(watched.recv()).rejects.toMatchObject({ code: 'ERR_SOCK_EOF' });
  });

  it('lives on when the socket that it came by is closed', async () => {
    const [near, far] = pair();
    await near.sendMsg({ data: 'x', fds: [fileWith('content')] });
    const received = only(await far.recvMsg());
    far.close();
    expect(readWhole(received)).toBe('content');
  });

  it('becomes a socket, connected or listening, that works', async () => {
    const [near, far] = pair();
    const [client, server] = await connectedPair(cleanup);
    const listener = cleanup.add(listen({ host: '127.0.0.1' }));
    await near.sendMsg({ data: 'x', fds: [server, listener] });
    const [first, second] = (await far.recvMsg()).fds as [ReceivedFd, ReceivedFd];
    server.close();
    listener.close();
    const connection = cleanup.add(Socket.fromFd(first.take()));
    expect([first.fd, thrownBy(() => first.take()).code]).toEqual([-1, 'ERR_SOCK_CLOSED']);
    await connection.sendAll('through a stranger');
    expect(String(await client.recv())).toBe('through a stranger');
    const listening = cleanup.add(Socket.fromFd(second.take()));
    const { localPort: port = 0 } = listening;
    const [socket] = await Promise.all(
      [
        new Socket({ family: 'ipv4' }),
        (listening as unknown as ListeningSocket).accept({ timeout: 5_000 }),
      ].map(async (value) => {
        if (!(value instanceof Socket)) return cleanup.add(await value);
        await cleanup.add(value).connect('127.0.0.1', port);
        return value;
      }),
    );
    expect(socket?.isConnected).toBe(true);
  });
});

describe('a message that has to wait', () => {
  it('leaves in the order of the calls, and holds its descriptors until then', async () => {
    const [near, far] = pair();
    const open = openDescriptors().length;
    const first = near.sendAll(Buffer.alloc(tooMuch));
    const fd = openSync(pathTo('held'), 'w+');
    const message = near.sendMsg({ data: 'with it', fds: [fd] });
    closeSync(fd);
    // Somebody else has the number now.
    const stranger = openSync('/dev/null', 'r');
    const last = near.sendAll('behind');
    await far.recvAll(tooMuch);
    await Promise.all([first, message, last]);
    const got = await far.recvMsg();
    const [received] = got.fds as [ReceivedFd];
    expect(String(got.data).startsWith('with it')).toBe(true);
    writeFileSync(pathTo('held'), 'still the same');
    expect(readWhole(received)).toBe('still the same');
    received.close();
    closeSync(stranger);
    expect(openDescriptors()).toHaveLength(open);
  });

  it.each(['timeout', 'abort', 'close'] as const)(
    'lets go of its descriptors on %s',
    async (cut) => {
      const [near, far] = pair();
      const open = openDescriptors().length;
      const first = failureOf(near.sendAll(Buffer.alloc(tooMuch)));
      const controller = new AbortController();
      const options = { timeout: { timeout: 5 }, abort: { signal: controller.signal }, close: {} };
      const failure = failureOf(
        near.sendMsg({ data: 'x', fds: [fileWith('content'), far] }, options[cut]),
      );
      expect(openDescriptors().length).toBeGreaterThan(open + 2);
      if (cut === 'abort') controller.abort();
      if (cut === 'close') near.close();
      expect(await failure).toMatchObject({
        code: { timeout: 'ERR_SOCK_TIMEOUT', abort: 'ABORT_ERR', close: 'ERR_SOCK_CLOSED' }[cut],
        bytesTransferred: 0,
      });
      near.close();
      far.close();
      await first;
      // One is the file, which the test itself has open.
      expect(openDescriptors().length).toBe(open - 2 + 1);
    },
  );

  it('that the kernel refuses fails alone', async () => {
    const [near, far] = pair();
    const first = near.sendAll(Buffer.alloc(tooMuch));
    const notMine = { pid: 1, uid: 12_345, gid: 12_345 };
    const refused = failureOf(
      near.sendMsg({ data: 'x', credentials: { ...notMine, pid: 2 ** 30 } }),
    );
    const last = near.sendAll('behind');
    await far.recvAll(tooMuch);
    await first;
    expect(await refused).toMatchObject({ code: 'ESRCH', syscall: 'sendmsg', bytesTransferred: 0 });
    await last;
    expect(String(await far.recv())).toBe('behind');
  });

  it('passes its descriptors once, when only some of its bytes leave', async () => {
    const [near, far] = pair();
    const data = Buffer.alloc(tooMuch, 'd');
    const sent = await near.sendMsg({ data: ['x', data], fds: [fileWith('content')] });
    expect(sent).toBeLessThan(tooMuch);
    const rest = near.sendAll(data.subarray(sent - 1)).then(() => near.shutdown());
    let count = 0;
    let passed = 0;
    for (;;) {
      const message = await far.recvMsg(1_000_000).catch(() => undefined);
      if (message === undefined) break;
      count += message.data.length;
      passed += message.fds.length;
      for (const received of message.fds) received.close();
    }
    await rest;
    expect([count, passed]).toEqual([1 + tooMuch, 1]);
  });
});

describe('receiving messages', () => {
  it('queues with the other receives, and gets what they gave back', async () => {
    const [near, far] = pair();
    const answers = Promise.all([far.recv(1), far.recvMsg(2), far.recvAll(2), far.recvMsg()]);
    await near.sendAll('abbcc');
    await near.sendMsg({ data: 'dd', fds: [fileWith('content')] });
    const [a, b, c, d] = await answers;
    expect([a, b.data, c, d.data].map(String)).toEqual(['a', 'bb', 'cc', 'dd']);
    expect(b.fds).toEqual([]);
    only(d);
    await near.sendAll('back');
    await failureOf(far.recvAll(10, { timeout: 1 }));
    await near.sendMsg({ data: 'next', fds: [fileWith('content')] });
    expect(await far.recvMsg()).toMatchObject({ data: Buffer.from('back'), fds: [] });
    only(await far.recvMsg());
  });

  it('gives the descriptors of one message at a time', async () => {
    const [near, far] = pair();
    await near.sendAll('plain');
    await near.sendMsg({ data: 'one', fds: [fileWith('1')] });
    await near.sendMsg({ data: 'two', fds: [fileWith('2')] });
    const received: string[] = [];
    while (received.length < 2) {
      const message = await far.recvMsg();
      if (message.fds.length > 0) received.push(readWhole(only(message)));
    }
    expect(received).toEqual(['1', '2']);
  });

  it('peeks: leaves bytes and descriptors for the next receive', async () => {
    const [near, far] = pair();
    const peek = { flags: { peek: true } };
    const waiting = far.recvMsg(3, peek);
    await near.sendMsg({ data: 'abcdef', fds: [fileWith('content')] });
    const message = await waiting;
    expect(String(message.data)).toBe('abc');
    expect(readWhole(only(message))).toBe('content');
    only(far.tryRecvMsg(6, peek) as ReceivedMessage);
    only(far.recvMsgSync(6, peek));
    const taken = await far.recvMsg();
    expect(String(taken.data)).toBe('abcdef');
    only(taken);
    expect(far.tryRecvMsg()).toBeNull();
    await near.sendAll('back');
    await failureOf(far.recvAll(10, { timeout: 1 }));
    expect(String((await far.recvMsg(2, peek)).data)).toBe('ba');
    expect(String(await far.recv())).toBe('back');
  });

  it('peeks on TCP, and is told of what comes later', async () => {
    const [near, far] = await connectedPair(cleanup);
    for (let round = 0; round < 3; round++) {
      const waiting = far.recvMsg(100, { flags: { peek: true } });
      await near.sendAll('abc');
      expect(String((await waiting).data)).toBe('abc');
      expect(String(await far.recvAll(3))).toBe('abc');
    }
  });

  it('keeps messages apart on seqpacket, and says when one was longer', async () => {
    const [near, far] = pair('seqpacket');
    await near.sendMsg({ data: ['long ', 'message'] });
    await near.sendMsg({ data: 'next' });
    const cut = await far.recvMsg(4);
    expect(cut).toMatchObject({ data: Buffer.from('long'), flags: { truncated: true } });
    const whole = await far.recvMsg(4);
    expect(whole).toMatchObject({ data: Buffer.from('next'), flags: { truncated: false } });
    const large = Buffer.alloc(100_000, 'x');
    await near.sendMsg({ data: large });
    expect((await far.recvMsg(200_000)).data.equals(large)).toBe(true);
    expect(await failureOf(near.sendMsg({ data: Buffer.alloc(2 ** 24) }))).toMatchObject({
      code: 'EMSGSIZE',
      syscall: 'sendmsg',
    });
  });

  it('ends, times out, aborts, and is busy as each other receive', async () => {
    const [near, far] = pair();
    expect(await failureOf(far.recvMsg(1, { timeout: 1 }))).toMatchObject({
      code: 'ERR_SOCK_TIMEOUT',
    });
    const controller = new AbortController();
    const aborted = failureOf(far.recvMsg(1, { signal: controller.signal }));
    expect(thrownBy(() => far.tryRecvMsg())).toMatchObject({ code: 'ERR_SOCK_BUSY' });
    controller.abort();
    expect(await aborted).toMatchObject({ code: 'ABORT_ERR' });
    await near.sendMsg({ data: 'kept', fds: [fileWith('content')] });
    await near.shutdown();
    only(await far.recvMsg());
    const end = { code: 'ERR_SOCK_EOF' };
    expect(await failureOf(far.recvMsg())).toMatchObject(end);
    expect(thrownBy(() => far.recvMsgSync())).toMatchObject(end);
    far.close();
    expect(await failureOf(far.recvMsg())).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
  });

  it('tries for urgent data beside the stream', async () => {
    const [near, far] = await connectedPair(cleanup);
    const urgent = { flags: { outOfBand: true } };
    expect(far.tryRecvMsg(1, urgent)).toBeNull();
    await near.sendAll('ab');
    await near.sendMsg({ data: 'c!', flags: { outOfBand: true } });
    let message: ReceivedMessage | null = null;
    await until(2_000, () => {
      message = far.tryRecvMsg(1, urgent);
      return message !== null;
    });
    expect(message).toMatchObject({ data: Buffer.from('!') });
    await near.sendAll('d');
    await near.shutdown();
    expect(String(await readToEnd(far))).toBe('abcd');
  });
});

describe('credentials', () => {
  const mine = {
    pid: process.pid,
    uid: process.getuid?.() ?? -1,
    gid: process.getgid?.() ?? -1,
  };

  it('come with every message, once they are asked for', async () => {
    const [near, far] = pair();
    await near.sendAll('x');
    expect((await far.recvMsg()).credentials).toBeUndefined();
    expect(far.getPassCredentials()).toBe(false);
    far.setPassCredentials(true);
    expect(far.getPassCredentials()).toBe(true);
    await near.sendAll('x');
    expect((await far.recvMsg()).credentials).toEqual(mine);
    await near.sendMsg({ data: 'x', credentials: mine, fds: [fileWith('content')] });
    const message = await far.recvMsg();
    expect(message.credentials).toEqual(mine);
    only(message);
  });

  it('that are not true are refused', async () => {
    const [near] = pair();
    const lie = { ...mine, pid: 2 ** 30 };
    expect(await failureOf(near.sendMsg({ data: 'x', credentials: lie }))).toMatchObject({
      code: 'ESRCH',
      syscall: 'sendmsg',
    });
  });

  it('and descriptors need a Unix socket, and a byte to go with', async () => {
    const [tcp] = await connectedPair(cleanup);
    const [near] = pair();
    const wrong: readonly (readonly [Socket, object, string])[] = [
      [tcp, { data: 'x', fds: [0] }, '"message.fds"'],
      [tcp, { data: 'x', credentials: mine }, '"message.credentials"'],
      [near, { data: '', fds: [0] }, '"message.data"'],
      [near, { data: [''], credentials: mine }, '"message.data"'],
      [near, { data: 'x', fds: [-1] }, '"message.fds[0]"'],
      [near, { data: 'x', fds: [0, { fd: -1 }] }, '"message.fds[1]"'],
      [near, { data: 'x', fds: ['0'] }, '"message.fds[0]"'],
      [near, { data: 'x', fds: 0 }, '"message.fds"'],
      [near, { data: 'x', credentials: { pid: 1 } }, '"message.credentials.uid"'],
      [near, { data: 'x', flags: 1 }, '"message.flags"'],
      [near, { fds: [0] }, '"message.data"'],
    ];
    for (const [socket, message, name] of wrong) {
      expect(thrownBy(() => socket.trySendMsg(message as never)).message).toContain(name);
    }
    expect(thrownBy(() => tcp.setPassCredentials(true))).toMatchObject({ code: 'ENOTSUP' });
    expect(near.trySendMsg({ data: '' })).toBe(0);
    expect(await failureOf(near.sendMsg({ data: 'x', fds: [2 ** 30] }))).toMatchObject({
      code: 'EBADF',
    });
    expect(await near.sendMsg({ data: 'x' })).toBe(1);
  });
});

describeWithPeers(['python3'], 'with Python', () => {
  const python = async (program: string, ...args: string[]) => {
    const peer = await launch('python3', ['-c', program, ...args], {});
    return String((await peer.succeeded()).stdout);
  };

  it('a file, a listener and a connection are understood', async () => {
    const path = pathTo('control');
    const listener = cleanup.add(listen({ path }));
    const [client, server] = await connectedPair(cleanup);
    const port = cleanup.add(listen({ host: '127.0.0.1' }));
    const told = python(
      `
import os, socket, sys
control = socket.socket(socket.AF_UNIX)
control.connect(sys.argv[1])
data, fds, flags, _ = socket.recv_fds(control, 100, 3)
connection = socket.socket(fileno=fds[1])
connection.setblocking(True)
connection.sendall(b"from python")
listener = socket.socket(fileno=fds[2])
listens = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
print(data.decode(), os.pread(fds[0], 100, 0).decode(), listens, listener.getsockname()[1], flags)
      `,
      path,
    );
    const control = cleanup.add(await listener.accept());
    await control.sendMsg({ data: 'take them', fds: [fileWith('content'), server, port] });
    server.close();
    expect(String(await client.recv())).toBe('from python');
    expect(await told).toMatch(`take them content 1 ${port.localPort} `);
    // The last one to have it has ended.
    await expect(client.recv()).rejects.toMatchObject({ code: 'ERR_SOCK_EOF' });
  });

  it('what it sends is understood', async () => {
    const path = pathTo('control');
    const listener = cleanup.add(listen({ path }));
    listener.setPassCredentials(true);
    const told = python(
      `
import os, socket, sys
control = socket.socket(socket.AF_UNIX)
control.connect(sys.argv[1])
file = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)
near, far = socket.socketpair()
socket.send_fds(control, [b"two ", b"of them"], [file, far.fileno()])
far.close()
os.write(file, near.recv(100))
near.sendall(b"done")
control.recv(1)
print(os.getpid())
      `,
      path,
      pathTo('written'),
    );
    const control = cleanup.add(await listener.accept());
    const message = await control.recvMsg();
    expect(String(message.data)).toBe('two of them');
    const [file, end] = message.fds as [ReceivedFd, ReceivedFd];
    cleanup.add(file);
    const socket = cleanup.add(Socket.fromFd(end.take()));
    expect([socket.family, socket.type, socket.isConnected]).toEqual(['unix', 'stream', true]);
    await socket.sendAll('written there');
    expect(String(await socket.recv())).toBe('done');
    expect(readWhole(file)).toBe('written there');
    await control.sendAll('.');
    expect(message.credentials?.pid).toBe(Number(await told));
  });
});
