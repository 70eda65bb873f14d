/** What the conformance suite cannot say of every stream about vectors. */
import { Socket } from '@sock/core';
import { describeWithPeers, runScript, thrownBy } from '@sock/testing';

/** Runs with two sockets of a pair that keeps messages apart. */
async function withMessages(run: (near: Socket, far: Socket) => Promise<void>): Promise<void> {
  const [near, far] = Socket.pair('seqpacket');
  try {
    await run(near, far);
  } finally {
    near.close();
    far.close();
  }
}

describe('a vector on a seqpacket socket', () => {
  it('is one message, however large', () =>
    withMessages(async (near, far) => {
      const large = Buffer.alloc(20_000, 'x');
      await near.sendvAll(['a', 'b']);
      expect(await near.sendv([large, 'y'])).toBe(20_001);
      await near.sendvAll(['c']);
      expect((await far.recv()).toString()).toBe('ab');
      expect(await far.recv()).toHaveLength(20_001);
      expect((await far.recv()).toString()).toBe('c');
    }));

  it('takes one message apart', () =>
    withMessages(async (near, far) => {
      const views = [Buffer.alloc(2), Buffer.alloc(4)] as const;
      await near.sendAll('abcd');
      await near.sendAll('next');
      expect(await far.recvv(views)).toBe(4);
      expect(Buffer.concat(views).toString()).toBe('abcd\0\0');
      expect((await far.recv()).toString()).toBe('next');
    }));
});

describe('an array of a caller', () => {
  it('is looked at once, element by element, and never written to', () => {
    const [near, far] = Socket.pair();
    const seen: PropertyKey[] = [];
    const data = new Proxy(['a', 'b'], {
      get(target, name) {
        seen.push(name);
        return Reflect.get(target, name);
      },
      set: () => {
        throw new Error('written to');
      },
    });
    expect(near.trySendv(data)).toBe(2);
    expect(seen).toEqual(['length', '0', '1']);
    near.close();
    far.close();
  });

  it('with a hole names the hole', () => {
    const [near, far] = Socket.pair();
    const data = ['a', 'b', 'c'];
    delete data[1];
    expect(thrownBy(() => near.trySendv(data))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(thrownBy(() => near.trySendv(data)).message).toContain('"data[1]"');
    expect(far.tryRecv()).toBeNull();
    near.close();
    far.close();
  });
});

describeWithPeers(['strace that may trace'], 'the system calls of vectors', () => {
  const body = `
    const { Socket } = require('@sock/core');
    const [near, far] = Socket.pair();
    const failureOf = (promise) => promise.then(() => 'succeeded', (e) => [e.code, e.syscall]);
    const large = [Buffer.alloc(5_000, 'a'), Buffer.alloc(5_000, 'b')];
    const views = [Buffer.alloc(5_000), Buffer.alloc(5_000)];
  `;

  it('are one for a large vector, and one for several small ones of a turn', async () => {
    const { stdout, stderr, trace } = await runScript(
      `${body}
      await near.sendvAll(large);
      await far.recvvAll(views);
      near.sendAll('1');
      const all = Promise.all([near.sendvAll(['2', '3']), near.sendvAll(['4', '5'])]);
      await all;
      console.log(views.every((view, i) => view.equals(large[i])), (await far.recv()).toString());
      near.close();
      far.close();`,
      // Never comes to pass: only the log is wanted.
      { inject: ['sendmsg:error=EINTR:when=60000', 'sendto:error=EINTR:when=60000'] },
    );
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^true 1/);
    expect(trace.match(/sendmsg\(.*msg_iovlen=2.* = 10000$/gm)).toHaveLength(1);
    expect(trace.match(/sendto\(.*"2345"/g)).toHaveLength(1);
  });

  it('name themselves when they fail, and can succeed again', async () => {
    const { stdout, stderr } = await runScript(
      `${body}
      console.log(JSON.stringify(await failureOf(near.sendvAll(large))));
      await near.sendvAll(large);
      console.log(JSON.stringify(await failureOf(far.recvvAll(views))));
      await far.recvvAll(views);
      console.log(views.every((view, index) => view.equals(large[index])));
      near.close();
      far.close();`,
      { inject: ['sendmsg:error=ENOBUFS:when=1', 'recvmsg:error=ENOMEM:when=1'] },
    );
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toEqual([
      '["ENOBUFS","sendmsg"]',
      '["ENOMEM","recvmsg"]',
      'true',
      '',
    ]);
  });

  it('go on after a signal', async () => {
    const { stdout, stderr } = await runScript(
      `${body}
      await near.sendvAll(large);
      await far.recvvAll(views);
      console.log(views.every((view, index) => view.equals(large[index])));
      near.close();
      far.close();`,
      { inject: ['sendmsg:error=EINTR:when=1', 'recvmsg:error=EINTR:when=1'] },
    );
    expect(stderr).toBe('');
    expect(stdout).toBe('true\n');
  });
});
