/** Data in the first packet of a connection (TCP Fast Open, RFC 7413). */
import { connect, Socket } from '@sock/core';
import { describeWithPeers, type Namespace, openNetwork, runScript } from '@sock/testing';
import { Cleanup, listening } from './support/states.js';

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.close());

async function namespaceWith(sysctl: number): Promise<Namespace> {
  const { near } = await openNetwork();
  await near.setSysctl('ipv4/tcp_fastopen', sysctl);
  return near;
}

async function outputOf(namespace: Namespace, body: string, inject: string[] = []) {
  const script = `const { connect, listen, Socket } = require('@sock/core');\n${body}`;
  const { code, stdout, stderr, leakedSockets } = await runScript(script, { namespace, inject });
  expect({ code, stderr, leakedSockets }).toEqual({ code: 0, stderr: '', leakedSockets: 0 });
  return stdout.trim().split('\n');
}

describeWithPeers(['network namespaces'], 'with fastOpen, a connect', () => {
  it('takes the first data along from the second connection on', async () => {
    const lines = await outputOf(
      await namespaceWith(3),
      `
      const server = listen({ host: '127.0.0.1', fastOpen: 16 });
      const serving = (async () => {
        for await (const socket of server) {
          void (async () => {
            const chunk = await socket.recv();
            await socket.sendAll(chunk + ' ' + socket.tcpInfo().synDataAcked);
            await socket.end();
          })();
        }
      })();
      for (const name of ['one', 'two', 'three']) {
        const socket = await connect({ host: '127.0.0.1', port: server.localPort, fastOpen: true });
        const before = [socket.isConnected, socket.remotePort === server.localPort];
        const answering = socket.recv();
        await socket.sendAll(name);
        const answer = await answering;
        console.log(...before, String(answer), socket.isConnected, socket.tcpInfo().synDataAcked);
        await socket.end();
      }
      server.close();
      await serving;
    `,
    );
    expect(lines).toEqual([
      // The first one asks for the cookie, in a handshake as usual.
      'true true one false true false',
      'false true two true true true',
      'false true three true true true',
    ]);
  });

  it.each(['connectSync', 'connect'])(
    'does so from an object that is made first: %s',
    async (name) => {
      const lines = await outputOf(
        await namespaceWith(3),
        `
      const server = listen({ host: '127.0.0.1', fastOpen: 16 });
      for (let i = 0; i < 2; i++) {
        const socket = new Socket({ family: 'ipv4' });
        await socket.${name}('127.0.0.1', server.localPort, { fastOpen: true, timeout: 1000 });
        socket.sendAllSync('x');
        const accepted = await server.accept();
        await accepted.recv();
        console.log(socket.tcpInfo().synDataAcked);
        accepted.close();
        socket.close();
      }
      server.close();
    `,
      );
      expect(lines).toEqual(['false', 'true']);
    },
  );

  it('lets the first operations tell that nobody listens any more', async () => {
    const lines = await outputOf(
      await namespaceWith(3),
      `
      const server = listen({ host: '127.0.0.1', fastOpen: 16 });
      const port = server.localPort;
      const first = await connect({ host: '127.0.0.1', port, fastOpen: true });
      const accepted = await server.accept();
      for (const socket of [first, accepted, server]) socket.close();
      const socket = await connect({ host: '127.0.0.1', port, fastOpen: true });
      const codes = [];
      for (const operation of [() => socket.sendAll('x'), () => socket.recv()]) {
        await operation().catch((error) => codes.push(error.code));
      }
      console.log(...codes);
      socket.close();
    `,
    );
    expect(lines[0]).toMatch(/^ECONNREFUSED\b/);
  });

  it('connects as usual when it did not ask for it', async () => {
    const lines = await outputOf(
      await namespaceWith(3),
      `
      const server = listen({ host: '127.0.0.1', fastOpen: 16 });
      for (const fastOpen of [true, false, undefined]) {
        const socket = await connect({ host: '127.0.0.1', port: server.localPort, fastOpen });
        console.log(socket.isConnected);
        (await server.accept()).close();
        socket.close();
      }
      server.close();
    `,
    );
    expect(lines).toEqual(['true', 'true', 'true']);
  });

  it('is refused where the system forbids it, and leaves no socket behind', async () => {
    const lines = await outputOf(
      await namespaceWith(0),
      `
      const error = await connect({ host: '127.0.0.1', port: 9, fastOpen: true }).catch((e) => e);
      console.log(error.name, error.code, error.syscall);
    `,
    );
    expect(lines).toEqual(['SocketError ENOTSUP setsockopt']);
  });
});

describeWithPeers(['strace that may trace', 'network namespaces'], 'a first send', () => {
  it('whose packet took no data along waits, and loses nothing', async () => {
    const lines = await outputOf(
      await namespaceWith(1),
      `
      const server = listen({ host: '127.0.0.1' });
      // Not watched yet: so its readiness is told anew, as that of a connection to come is.
      const socket = new Socket({ family: 'ipv4' });
      socket.connectSync('127.0.0.1', server.localPort);
      const accepted = await server.accept();
      await socket.sendAll('whole');
      console.log(String(await accepted.recvAll(5)));
      for (const each of [socket, accepted, server]) each.close();
    `,
      ['sendto:error=EINPROGRESS:when=1'],
    );
    expect(lines).toEqual(['whole']);
  });
});

describe('fastOpen', () => {
  it.each([1, 'yes', {}])('is refused as %p', (value) => {
    expect(() => connect({ port: 9, fastOpen: value as never })).toThrow('options.fastOpen');
    const socket = cleanup.add(new Socket({ family: 'ipv4' }));
    const options = { fastOpen: value as never };
    expect(() => socket.connect('127.0.0.1', 9, options)).toThrow('options.fastOpen');
    expect(() => socket.connectSync('127.0.0.1', 9, options)).toThrow('options.fastOpen');
  });

  it('goes neither with a path nor with a race', async () => {
    const { target } = listening(cleanup, 'unix');
    expect(() => connect({ ...target, fastOpen: true })).toThrow('excludes path');
    const race = (): Promise<Socket> => Promise.reject(new Error('never asked'));
    expect(() => connect({ host: 'localhost', port: 9, race, fastOpen: true })).toThrow(
      'excludes race',
    );
    const socket = cleanup.add(new Socket({ family: 'unix' }));
    const options = { fastOpen: true } as never;
    expect(() => socket.connectUnix('@x', options)).toThrow('options.fastOpen');
  });
});
