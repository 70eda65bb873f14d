import { describeWithPeers, runScript } from '@sock/testing';

const tools = `
  const { connect, listen, Socket } = require('@sock/core');
  const tell = (value) => console.log(JSON.stringify(value));
  const failureOf = (promise) => promise.then(() => 'succeeded', ({ code, bytesTransferred }) =>
    bytesTransferred === undefined ? code : code + ' after ' + bytesTransferred);
  async function conversation() {
    const listener = listen({ host: '127.0.0.1' });
    const near = await connect({ host: '127.0.0.1', port: listener.localPort });
    const far = await listener.accept();
    listener.close();
    return [near, far];
  }
`;

/** What the script tells, in order, while system calls fail; and strace's log of those. */
async function toldUnder(
  inject: readonly string[],
  body: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ told: unknown[]; trace: string; warnings: string }> {
  const { code, stdout, stderr, trace } = await runScript(`${tools} ${body}`, {
    inject,
    env,
    limitMs: 30_000,
  });
  const told = stdout.split('\n').filter((line) => line !== '');
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('Error:') });
  expect(trace).toContain('(INJECTED)');
  return { told: told.map((line) => JSON.parse(line) as unknown), trace, warnings: stderr };
}

/**
 * Which epoll_ctl of the script's main thread first watches a socket, from 1. That depends on how
 * many Node itself makes; ours alone are edge-triggered.
 */
async function firstWatch(body: string): Promise<number> {
  const never = ['epoll_ctl:error=ENOSPC:when=60000'];
  const { trace } = await runScript(`${tools} ${body}`, { inject: never });
  const calls = trace.split('\n');
  const ours = calls.findIndex((call) => call.includes('EPOLLET'));
  const thread = calls[ours]?.split(' ')[0] ?? 'no thread';
  return calls.slice(0, ours + 1).filter((call) => call.startsWith(thread)).length;
}

describeWithPeers(['strace that may trace'], 'a stream whose system calls fail', () => {
  it.each(['epoll', 'poll'])('carries on over signals, on the %s backend', async (backend) => {
    const calls = ['recvfrom', 'sendto', 'accept4', 'epoll_wait'].map((call) => {
      return `${call}:error=EINTR:when=1+2`;
    });
    // The first poll of a thread asks about a connect and never waits: no signal can interrupt it.
    calls.push('poll:error=EINTR:when=2+2');
    const { told } = await toldUnder(
      calls,
      `
        const [near, far] = await conversation();
        const sent = require('node:crypto').randomBytes(1_000_000);
        const [received] = await Promise.all([far.recvAll(sent.length), near.sendAll(sent)]);
        far.sendAllSync('blocking');
        tell([received.equals(sent), near.recvSync().toString()]);
        tell(await failureOf(near.recv(1, { timeout: 10 })));
        near.close();
        far.close();
      `,
      { SOCK_BACKEND: backend },
    );
    expect(told).toEqual([[true, 'blocking'], 'ERR_SOCK_TIMEOUT']);
  });

  it('reports a send that the kernel has no memory for, and can send again', async () => {
    const { told } = await toldUnder(
      ['sendto:error=ENOBUFS:when=1'],
      `
        const [near, far] = await conversation();
        tell(await failureOf(near.sendAll('lost')));
        await near.sendAll('sent');
        tell((await far.recv()).toString());
        near.close();
        far.close();
      `,
    );
    expect(told).toEqual(['ENOBUFS after 0', 'sent']);
  });

  it('reports a receive that the kernel has no memory for, and can receive again', async () => {
    const { told } = await toldUnder(
      ['recvfrom:error=ENOMEM:when=1'],
      `
        const [near, far] = await conversation();
        await far.sendAll('kept');
        tell(await failureOf(near.recv()));
        tell((await near.recv()).toString());
        near.close();
        far.close();
      `,
    );
    expect(told).toEqual(['ENOMEM', 'kept']);
  });

  it('reports that it cannot be watched, and can be later', async () => {
    const body = `
      const [near, far] = Socket.pair();
      tell(await failureOf(near.recv(1, { timeout: 10 })));
      await far.sendAll('kept');
      tell((await near.recv()).toString());
      near.close();
      far.close();
    `;
    const { told } = await toldUnder(
      [`epoll_ctl:error=ENOSPC:when=${await firstWatch(body)}`],
      body,
    );
    expect(told).toEqual(['ENOSPC', 'kept']);
  });

  it('reports how far a send got that cannot wait for the rest', async () => {
    const body = `
      const [near, far] = Socket.pair();
      // The event loop has its own watches by then.
      await new Promise((resolve) => setTimeout(resolve, 20));
      tell(await failureOf(near.sendAll(Buffer.alloc(1 << 24), { timeout: 1000 })));
      near.close();
      let count = 0;
      for await (const chunk of far) count += chunk.length;
      tell(count);
      far.close();
    `;
    const first = await firstWatch(body);
    const { told } = await toldUnder([`epoll_ctl:error=ENOSPC:when=${first}..${first + 1}`], body);
    const [failure, length] = told;
    expect(length).toBeGreaterThan(0);
    expect(failure).toBe(`ENOSPC after ${length}`);
  });

  it.each(['ECONNABORTED', 'EPROTO', 'ENETDOWN', 'EHOSTUNREACH'])(
    'accepts the next connection after one that died in the queue of %s',
    async (code) => {
      const { told } = await toldUnder(
        [`accept4:error=${code}:when=1..2`],
        `
        const [near, far] = await conversation();
        tell(far.remotePort === near.localPort);
        near.close();
        far.close();
      `,
      );
      expect(told).toEqual([true]);
    },
  );

  it('goes on accepting after a shortage of descriptors, without spinning meanwhile', async () => {
    const { told, trace, warnings } = await toldUnder(
      ['accept4:error=EMFILE:when=1..3'],
      `
        const listener = listen({ host: '127.0.0.1' });
        const near = connect({ host: '127.0.0.1', port: listener.localPort });
        for await (const far of listener) {
          tell(far.remotePort === (await near).localPort);
          far.close();
          break;
        }
        (await near).close();
        listener.close();
      `,
    );
    expect(told).toEqual([true]);
    expect(warnings.match(/EMFILE.*accepting goes on/g)).toHaveLength(1);
    expect(trace.match(/accept4\(/g)?.length).toBeLessThan(8);
  });
});
