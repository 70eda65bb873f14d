/**
 * Ours and `net.connect({ autoSelectFamily: true })` side by side, to the same hosts at the same
 * time. `SOCK_SHOW=1` prints what both came to, as the table in docs/dns.md.
 */
import { describeWithPeers } from '@sock/testing';
import { openFar, openLate, over, racing } from './races.js';
import { filesFor, openNamed, told } from './support.js';

const besides = `
  const net = require('node:net');
  const raceNet = (host, port) => new Promise((resolve) => {
    const startMs = performance.now();
    const socket = net.connect({ host, port, autoSelectFamily: true });
    const end = (outcome) => {
      resolve({ ...outcome, tookMs: performance.now() - startMs });
      socket.destroy();
    };
    socket.once('connect', () => end({ address: socket.remoteAddress }));
    socket.once('error', (error) => end({ code: error.errors?.at(-1).code ?? error.code }));
  });
  const both = async (host, port) =>
    tell(await Promise.all([race(host, port, { preferIpv6: true }), raceNet(host, port)]));
`;

interface Outcome {
  readonly address?: string;
  readonly code?: string;
  readonly tookMs: number;
}

const rows: [what: string, ours: Outcome, net: Outcome][] = [];

function show({ address, code, tookMs }: Outcome): string {
  const by = address?.includes(':') ? 'IPv6' : 'IPv4';
  const time = tookMs < 50 ? 'at once' : `${(tookMs / 1000).toFixed(2)} s`;
  return address === undefined ? `\`${code}\`, ${time}` : `${by}, ${time}`;
}

afterAll(() => {
  if (process.env.SOCK_SHOW !== '1') return;
  const lines = rows.map(([what, ...outcomes]) => [what, ...outcomes.map(show)].join(' | '));
  console.log(lines.map((line) => `| ${line} |`).join('\n'));
});

async function compare(
  what: string,
  host: string,
  port: string,
  options: Parameters<typeof told>[1],
  { hanging = 0, before = '', after = '' } = {},
): Promise<[Outcome, Outcome]> {
  const body = `${before}\nawait both('${host}', ${port});\n${after}`;
  const [line] = await told(racing + besides + body, options, hanging);
  const [ours, net] = line as [Outcome, Outcome];
  rows.push([what, ours, net]);
  return [ours, net];
}

const peers = ['network namespaces', 'mount namespaces', 'nft in a namespace', 'python3'];
const drop = over('ip6', 'drop');

describeWithPeers([...peers, 'TUN devices'], 'beside net, a race over a network', () => {
  it.each([
    ['both families work', []],
    ['IPv6 is dropped', [drop]],
    ['IPv6 is refused', [over('ip6', 'reject with tcp reset')]],
  ])('connects when %s', async (what, rules) => {
    const { port, options, ipv4, ipv6 } = await openFar(rules);
    const [ours, net] = await compare(what, 'both.test', port, options);
    expect(ours.address).toBe(rules.length === 0 ? ipv6 : ipv4);
    expect([ipv4, ipv6]).toContain(net.address);
  });

  it('connects when two of three addresses are dropped', async () => {
    const { port, options, ipv4, network } = await openFar([drop]);
    await network.far.run('ip', 'address', 'add', 'fd97::3/64', 'dev', 'veth0', 'nodad');
    const files = filesFor(`${ipv4} both.test\nfd97::2 both.test\nfd97::3 both.test\n`);
    const what = 'two IPv6 addresses are dropped';
    const [ours] = await compare(what, 'both.test', port, { ...options, files });
    expect(ours.address).toBe(ipv4);
  });

  it.each([
    ['IPv6 takes 100 ms to answer', { ipv4: 0, ipv6: 50 }, 'ipv6'],
    ['IPv6 takes 2 s, IPv4 does not', { ipv4: 0, ipv6: 1_000 }, 'ipv4'],
    ['IPv6 takes 600 ms, IPv4 2 s', { ipv4: 1_000, ipv6: 300 }, 'ipv6'],
  ] as const)('connects by whichever is first when %s', async (what, delays, family) => {
    const far = await openLate(delays);
    const [ours] = await compare(what, 'both.test', far.port, far.options);
    expect(ours.address).toBe(far[family]);
    expect(ours.tookMs).toBeGreaterThanOrEqual(2 * delays[family]);
  });

  it('fails with what the addresses say', async () => {
    const refused = over('ip', 'reject with tcp reset');
    const { port, options } = await openFar([refused, over('ip6', 'reject with tcp reset')]);
    const [ours, net] = await compare('both are refused', 'both.test', port, options);
    expect([ours.code, net.code]).toEqual(['ECONNREFUSED', 'ECONNREFUSED']);
  });
});

describeWithPeers(
  peers.slice(0, 2).concat('python3'),
  'beside net, a race with a name server',
  () => {
    it.each([
      ['the AAAA answer takes 500 ms', 'delay-aaaa-500.test', ['127.0.0.1'], 1],
      ['the AAAA answer never comes', 'drop-aaaa.test', ['127.0.0.1'], 1],
      ['the A answer never comes', 'drop-a.test', ['::1'], 1],
      ['AAAA fails (SERVFAIL)', 'servfail-aaaa.test', ['127.0.0.1'], 0],
      ['answers are truncated', 'truncate.test', ['::1', '127.0.0.1'], 0],
    ])('connects when %s', async (what, host, addresses, hanging) => {
      const { options } = await openNamed();
      const resolvConf = 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n';
      const files = { ...options.files, '/etc/resolv.conf': resolvConf };
      const before = `
      const { listen } = require('@sock/core');
      const listener = listen();
    `;
      const all = { ...options, files };
      const rest = { hanging, before, after: 'listener.close();' };
      const [ours] = await compare(what, host, 'listener.localPort', all, rest);
      expect(addresses).toContain(ours.address);
    });
  },
);
