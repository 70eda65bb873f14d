import { join } from 'node:path';
import {
  describeWithPeers,
  type Namespace,
  openFaultyNetwork,
  openNetwork,
  runScript,
  seeded,
} from '@sock/testing';

const python = join(__dirname, 'peer.py');

/** What a script tells of an error that it caught. */
interface Told {
  readonly name: string;
  readonly message: string;
  readonly code: string;
  readonly errno?: number;
  readonly syscall?: string;
  readonly address?: string;
  readonly port?: number;
  readonly timeout?: number;
  readonly cause?: string;
  readonly tookMs: number;
}

/** For scripts: how a connect failed, and after how many milliseconds. */
const failureOfConnect = `
  const { connect, Socket } = require('@sock/core');
  async function failureOf(attempt) {
    const startMs = performance.now();
    try {
      await attempt();
      return { code: 'connected' };
    } catch (error) {
      const tookMs = performance.now() - startMs;
      const { name, message, cause } = error;
      const why = cause === undefined ? undefined : String(cause);
      return { name, message, ...error, cause: why, tookMs };
    }
  }
  const report = async (attempts) => {
    const told = await Promise.all(attempts.map(failureOf));
    console.log(JSON.stringify(told));
  };
`;

/** Runs the attempts, an array of functions, all at once; tells how each failed. */
async function failuresOf(namespace: Namespace, attempts: string): Promise<Told[]> {
  const script = `${failureOfConnect} await report(${attempts});`;
  const { code, stdout, stderr, leakedSockets } = await runScript(script, { namespace });
  expect({ code, stderr, leakedSockets }).toEqual({ code: 0, stderr: '', leakedSockets: 0 });
  return JSON.parse(stdout) as Told[];
}

async function serve(namespace: Namespace, role: string, host: string): Promise<number> {
  const { ready } = await namespace.launch('python3', [python, role, host], {
    ready: /port (\d+)/,
  });
  return Number(ready[1]);
}

/** How packets to a port are answered, and what a connect to it makes of that. */
const answers: readonly (readonly [verdict: string, ipv4: string, ipv6: string])[] = [
  ['reject with tcp reset', 'ECONNREFUSED', 'ECONNREFUSED'],
  ['reject with icmpx type port-unreachable', 'ECONNREFUSED', 'ECONNREFUSED'],
  ['reject with icmpx type host-unreachable', 'EHOSTUNREACH', 'EHOSTUNREACH'],
  ['reject with icmpx type no-route', 'ENETUNREACH', 'ENETUNREACH'],
  ['reject with icmpx type admin-prohibited', 'EHOSTUNREACH', 'EACCES'],
];

describeWithPeers(['network namespaces', 'nft in a namespace'], 'a connect', () => {
  it('raises each refusal of the network as what it is, with address and port', async () => {
    const { near, far, farAddresses } = await openNetwork();
    await far.setSysctl('ipv4/icmp_ratelimit', 0);
    await far.setSysctl('ipv6/icmp/ratelimit', 0);
    await far.filter(
      answers.map(([verdict], index) => ({ match: `tcp dport ${1001 + index}`, verdict })),
    );
    const targets = farAddresses.flatMap((host, family) =>
      answers.map((answer, index) => ({ host, port: 1001 + index, code: answer[1 + family] })),
    );
    const told = await failuresOf(
      near,
      `${JSON.stringify(targets)}.map(({ host, port }) => () => connect({ host, port }))`,
    );
    expect(told).toMatchObject(
      targets.map(({ host, port, code }) => ({
        name: 'SocketError',
        code,
        errno: expect.any(Number),
        syscall: 'connect',
        address: host,
        port,
        message: expect.stringContaining(`connect ${code} `),
      })),
    );
  });

  it('raises what this side knows of its routes and neighbours', async () => {
    const { near } = await openNetwork();
    await near.setSysctl('ipv4/neigh/veth0/retrans_time_ms', 20);
    await near.run('ip', 'route', 'add', 'prohibit', '198.51.100.0/24');
    const told = await failuresOf(
      near,
      `[
        () => connect({ host: '192.0.2.1', port: 7 }),
        () => connect({ host: '2001:db8::1', port: 7 }),
        () => connect({ host: '198.51.100.1', port: 7 }),
        () => connect({ host: '10.97.0.99', port: 7 }),
      ]`,
    );
    expect(told).toMatchObject([
      { code: 'ENETUNREACH', address: '192.0.2.1', port: 7 },
      { code: 'ENETUNREACH', address: '2001:db8::1', port: 7 },
      { code: 'EACCES', address: '198.51.100.1', port: 7 },
      { code: 'EHOSTUNREACH', address: '10.97.0.99', port: 7 },
    ]);
  });

  it('that nobody answers ends by timeout, by abort, or when the kernel gives up', async () => {
    const { near, far, farAddresses } = await openNetwork();
    const [ipv4, ipv6] = farAddresses;
    await far.filter([{ match: 'tcp dport 7', verdict: 'drop' }]);
    await near.setSysctl('ipv4/tcp_syn_retries', 1);
    await near.setSysctl('ipv4/tcp_syn_linear_timeouts', 0);
    const [blocking, ...told] = await failuresOf(
      near,
      `[
        async () => {
          const socket = new Socket({ family: 'ipv4' });
          try {
            socket.connectSync('${ipv4}', 7, { timeout: 50 });
          } finally {
            socket.close();
          }
        },
        () => connect({ host: '${ipv4}', port: 7, timeout: 150 }),
        () => connect({ host: '${ipv6}', port: 7, timeout: 150 }),
        () => {
          const controller = new AbortController();
          setTimeout(() => controller.abort(new Error('enough')), 150);
          return connect({ host: '${ipv4}', port: 7, signal: controller.signal });
        },
        () => connect({ host: '${ipv4}', port: 7 }),
      ]`,
    );
    const timedOut = { name: 'TimeoutError', code: 'ERR_SOCK_TIMEOUT', port: 7 };
    expect(blocking).toMatchObject({ ...timedOut, timeout: 50, address: ipv4 });
    expect(told).toMatchObject([
      { ...timedOut, timeout: 150, address: ipv4 },
      { ...timedOut, timeout: 150, address: ipv6 },
      { name: 'AbortError', code: 'ABORT_ERR', cause: 'Error: enough', address: ipv4, port: 7 },
      { name: 'SocketError', code: 'ETIMEDOUT', errno: -110, address: ipv4, port: 7 },
    ]);
    for (const timeout of told.slice(0, 2)) {
      expect(timeout.errno).toBeUndefined();
      expect(timeout.tookMs).toBeGreaterThanOrEqual(150);
    }
  });

  it('goes on to the next address of a name when one does not answer', async () => {
    const { near, far, farAddresses } = await openNetwork();
    const [ipv4, ipv6] = farAddresses;
    const port = await serve(far, 'digest', ipv4);
    await far.filter([{ match: 'ip6 nexthdr tcp', verdict: 'drop' }]);
    const { stdout, stderr } = await runScript(
      `
        const { connect } = require('@sock/core');
        const addresses = [{ address: '${ipv6}', family: 6 }, { address: '${ipv4}', family: 4 }];
        const lookup = (hostname, options, callback) => callback(null, addresses);
        const socket = await connect({ host: 'both.test', port: ${port}, lookup, timeout: 400 });
        console.log(socket.remoteAddress);
        await socket.end();
      `,
      { namespace: near },
    );
    expect({ stdout, stderr }).toEqual({ stdout: `${ipv4}\n`, stderr: '' });
  });
});

describeWithPeers(['TUN devices', 'python3'], 'a stream over a bad line', () => {
  it(
    'carries every byte both ways, late and lossy as it is',
    seeded(async (random) => {
      const network = await openFaultyNetwork(random);
      const [host] = network.farAddresses;
      const port = await serve(network.far, 'echo', host);
      await network.set({ delayMs: 5, loss: 0.01 });
      const { stdout, stderr } = await runScript(
        `
          const { connect } = require('@sock/core');
          const { randomBytes } = require('node:crypto');
          const socket = await connect({ host: '${host}', port: ${port} });
          const sent = randomBytes(1 << 20);
          const sending = socket.sendAll(sent).then(() => socket.shutdown());
          const chunks = [];
          for await (const chunk of socket) chunks.push(chunk);
          await sending;
          console.log(Buffer.concat(chunks).equals(sent));
          await socket.end();
        `,
        { namespace: network.near, limitMs: 30_000 },
      );
      expect({ stdout, stderr }).toEqual({ stdout: 'true\n', stderr: '' });
    }),
  );

  it(
    'to a peer that is gone ends by its own timeout, or when the kernel gives up',
    seeded(async (random) => {
      const network = await openFaultyNetwork(random);
      const [host] = network.farAddresses;
      const port = await serve(network.far, 'vanish', host);
      await network.near.setSysctl('ipv4/tcp_retries2', 2);
      const [late, dead] = await failuresOf(
        network.near,
        `await (async () => {
          const socket = await connect({ host: '${host}', port: ${port} });
          await socket.recvAll(5);
          await socket.sendAll('!');
          await new Promise((resolve) => setTimeout(resolve, 100));
          await socket.sendAll('anybody there?');
          return [
            () => socket.recv(1, { timeout: 50 }),
            () => socket.recv().finally(() => socket.close()),
          ];
        })()`,
      );
      expect(late).toMatchObject({ name: 'TimeoutError', code: 'ERR_SOCK_TIMEOUT' });
      expect(dead).toMatchObject({ name: 'SocketError', code: 'ETIMEDOUT', syscall: 'recv' });
    }),
  );
});
