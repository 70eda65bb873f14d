/** What accepting asks of the kernel. */
import { describeWithPeers, runScript } from '@sock/testing';

describeWithPeers(['strace that may trace'], 'the system calls of accepting', () => {
  const body = `
    const { connect, listen } = require('@sock/core');
    const server = listen({ host: '127.0.0.1', port: 0 });
    const target = { host: '127.0.0.1', port: server.localPort };
    async function comeAndGo(times) {
      for (let i = 0; i < times; i++) (await connect(target)).close();
    }
  `;

  it('are one for each connection of an iteration that has one turn after turn', async () => {
    const { stdout, stderr, trace } = await runScript(
      `${body}
      let count = 0;
      const serving = (async () => {
        for await (const socket of server) {
          socket.close();
          if (++count === 80) break;
        }
      })();
      await Promise.all([comeAndGo(20), comeAndGo(20), comeAndGo(20), comeAndGo(20)]);
      await serving;
      console.log(count);
      server.close();`,
      // Never comes to pass: only the log is wanted.
      { inject: ['accept4:error=EINTR:when=60000'] },
    );
    expect({ stdout, stderr }).toEqual({ stdout: '80\n', stderr: '' });
    expect(trace.match(/accept4\(.*\) = \d+$/gm)).toHaveLength(80);
    // What a wake-up that was late brings.
    expect(trace.match(/accept4\(.*EAGAIN/g)?.length ?? 0).toBeLessThan(8);
  });

  it('are one for each connection of a loop that tries until there is none', async () => {
    const { stdout, stderr, trace } = await runScript(
      `${body}
      let count = 0;
      for (let i = 0; i < 10; i++) {
        await comeAndGo(2);
        for (let one = server.tryAccept(); one !== null; one = server.tryAccept()) {
          one.close();
          count++;
        }
      }
      console.log(count);
      server.close();`,
      { inject: ['accept4:error=EINTR:when=60000'] },
    );
    expect({ stdout, stderr }).toEqual({ stdout: '20\n', stderr: '' });
    expect(trace.match(/accept4\(.*\) = \d+$/gm)).toHaveLength(20);
    expect(trace.match(/accept4\(.*EAGAIN/g)).toBeNull();
  });
});
