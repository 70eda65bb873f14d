import {
  describeWithPeers,
  type FaultyNetwork,
  type Namespace,
  openFaultyNetwork,
  openNetwork,
  runScript,
  seeded,
} from '@sock/testing';

/** Prints its port, and gives back what comes. */
const echo = `
  import socket
  family = socket.AF_INET6 if ':' in HOST else socket.AF_INET
  listener = socket.create_server((HOST, 0), family=family)
  print('port', listener.getsockname()[1], flush=True)
  while True:
      connection = listener.accept()[0]
      while data := connection.recv(65536):
          connection.sendall(data)
      connection.close()
`;

async function startEcho(namespace: Namespace, host: string): Promise<number> {
  const program = echo.replace(/^ {2}/gm, '').replaceAll('HOST', `'${host}'`);
  const { ready } = await namespace.launch('python3', ['-c', program], { ready: /port (\d+)/ });
  return Number(ready[1]);
}

/** How many milliseconds a connect and one echo took, or the code of what went wrong. */
async function roundTrip(
  namespace: Namespace,
  host: string,
  port: number,
): Promise<number | string> {
  const script = `
    const { connect } = require('@sock/core');
    const startMs = performance.now();
    try {
      const socket = await connect({ host: '${host}', port: ${port}, timeout: 500 });
      await socket.sendAll('ping');
      await socket.recvAll(4, { timeout: 2000 });
      socket.close();
      console.log(performance.now() - startMs);
    } catch (error) {
      console.log(error.code);
    }
  `;
  const { stdout, stderr } = await runScript(script, { namespace });
  expect(stderr).toBe('');
  const answer = stdout.trim();
  return /^[\d.]+$/.test(answer) ? Number(answer) : answer;
}

describeWithPeers(['network namespaces', 'nft in a namespace', 'python3'], 'a network', () => {
  it('carries packets between its namespaces, and to nobody else', async () => {
    const { near, far, farAddresses } = await openNetwork();
    for (const host of farAddresses) {
      const port = await startEcho(far, host);
      expect(await roundTrip(near, host, port)).toBeLessThan(1000);
    }
    expect(await near.run('ip', '-oneline', 'link')).toMatch(/^1: lo:.*\n\d+: veth0@.*\n$/);
  });

  it('filters what it is told to', async () => {
    const { near, far, farAddresses } = await openNetwork();
    const [host] = farAddresses;
    const port = await startEcho(far, host);
    await far.filter([{ match: `tcp dport ${port}`, verdict: 'drop' }]);
    expect(await roundTrip(near, host, port)).toBe('ERR_SOCK_TIMEOUT');
  });
});

describeWithPeers(['TUN devices', 'python3'], 'a faulty network', () => {
  const connected = async (
    test: (network: FaultyNetwork, ask: () => Promise<number | string>) => unknown,
  ) => {
    await seeded(async (random) => {
      const network = await openFaultyNetwork(random);
      const [host] = network.farAddresses;
      const port = await startEcho(network.far, host);
      await test(network, () => roundTrip(network.near, host, port));
    })();
  };

  it('carries packets, late by what it is told', () =>
    connected(async (network, ask) => {
      expect(await ask()).toBeLessThan(500);
      await network.set({ delayMs: 40 });
      // Two for the connection, two for the echo.
      expect(await ask()).toBeGreaterThanOrEqual(160);
    }));

  it('loses them all when it is told to, and none afterwards', () =>
    connected(async (network, ask) => {
      await network.set({ loss: 1 });
      expect(await ask()).toBe('ERR_SOCK_TIMEOUT');
      await network.set({ loss: 0 });
      expect(await ask()).toBeLessThan(500);
    }));
});
