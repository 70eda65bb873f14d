/** Programs that know nothing of us, and lines that lose what they carry. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { DatagramSocket } from '@sock/dgram';
import {
  describeWithPeers,
  type FaultyNetwork,
  launch,
  Namespace,
  openFaultyNetwork,
  openNetwork,
  type Random,
  runScript,
  seeded,
  useCleanup,
  useFolder,
} from '@sock/testing';
import { bound, portOf } from './support.js';

const pathTo = useFolder();
const cleanup = useCleanup();

describe('node:dgram', () => {
  it.each(['udp4', 'udp6'] as const)('is answered, and answers, %s', async (type) => {
    const peer = createSocket(type);
    const family = type === 'udp4' ? 'ipv4' : 'ipv6';
    const socket = bound(cleanup, family);
    const { localAddress = '' } = socket;
    peer.bind(0, localAddress);
    await once(peer, 'listening');
    try {
      peer.send('from node', portOf(socket), localAddress);
      const { data, address, port } = await socket.recvFrom();
      expect([String(data), port]).toEqual(['from node', peer.address().port]);
      const answer = once(peer, 'message');
      await socket.sendTo('to node', address, port);
      const [message, { port: from }] = (await answer) as [Buffer, { port: number }];
      expect([String(message), from]).toEqual(['to node', portOf(socket)]);
    } finally {
      peer.close();
    }
  });
});

describeWithPeers(['socat'], 'socat', () => {
  it('is sent to, and sends, over UDP', async () => {
    const socket = bound(cleanup);
    const to = `UDP4-SENDTO:127.0.0.1:${portOf(socket)}`;
    const peer = await launch('socat', ['-u', '-', to], { input: 'from socat' });
    expect(String((await socket.recvFrom()).data)).toBe('from socat');
    await peer.ended;
    const echo = await launch('socat', ['-', to]);
    echo.stdin.write('question');
    const { address, port } = await socket.recvFrom();
    await socket.sendTo('answer', address, port);
    await echo.printed(/answer/);
  });

  it('is sent to over a Unix path', async () => {
    const hearer = await launch('socat', ['-d', '-d', '-u', `UNIX-RECV:${pathTo('log')}`, '-'], {
      ready: /starting data transfer loop/,
    });
    const socket = cleanup.add(new DatagramSocket({ family: 'unix' }));
    await socket.sendTo('a line of a log', pathTo('log'));
    await hearer.printed(/a line of a log/);
  });
});

/** A question for the addresses of a name (RFC 1035, section 4.1). */
function question(id: number, name: string): Buffer {
  const labels = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
  const head = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, Buffer.from([...labels, 0, 0, 1, 0, 1])]);
}

describeWithPeers(['network namespaces', 'dnsmasq'], 'a name server', () => {
  it('answers questions that were sent in a batch', async () => {
    const namespace = await Namespace.open();
    const flags = ['-k', '--conf-file=/dev/null', '--user=root', '-p', '5353', '--no-resolv'];
    const hosts = ['--no-hosts', '--address=/one.test/192.0.2.1', '--address=/two.test/192.0.2.2'];
    await namespace.launch('dnsmasq', [...flags, ...hosts, '--log-facility=-'], {
      ready: /started/,
    });
    const questions = ['one.test', 'two.test'].map((name, id) =>
      question(id, name).toString('hex'),
    );
    const { stdout, stderr } = await runScript(
      `
      const { DatagramSocket } = require('@sock/dgram');
      const socket = new DatagramSocket({ family: 'ipv4' });
      await socket.connect('127.0.0.1', 5353);
      const questions = ${JSON.stringify(questions)}.map((text) => Buffer.from(text, 'hex'));
      await socket.sendBatch(questions.map((data) => ({ data })));
      const answers = [];
      while (answers.length < 2) answers.push(...(await socket.recvBatch(8, { timeout: 5000 })));
      // The last four bytes of such an answer are the address.
      const told = answers.map(({ data }) => data[1] + ': ' + [...data.subarray(-4)].join('.'));
      console.log(told.sort().join(', '));
      socket.close();
    `,
      { namespace },
    );
    expect({ stdout, stderr }).toEqual({ stdout: '0: 192.0.2.1, 1: 192.0.2.2\n', stderr: '' });
  });
});

describeWithPeers(
  ['network namespaces', 'ethtool', 'tshark'],
  'on the wire, as tshark sees it',
  () => {
    it('are the TOS, TTL and segments that were asked for', async () => {
      const { near, far } = await openNetwork();
      const fields = ['ip.dsfield', 'ip.ttl', 'ip.src', 'udp.length'].flatMap((name) => [
        '-e',
        name,
      ]);
      const capture = await far.launch(
        'tshark',
        // Otherwise segments show as the one that the kernel still has of them.
        ['-l', '-n', '-i', 'veth0', '-f', 'udp dst port 7004', '-T', 'fields', ...fields],
        { ready: /Capturing on/ },
      );
      await near.run('ethtool', '-K', 'veth0', 'tx-udp-segmentation', 'off');
      const send = `
      const { DatagramSocket } = require('@sock/dgram');
      const socket = new DatagramSocket({ family: 'ipv4' });
      const to = { address: '10.97.0.2', port: 7004 };
      await socket.sendBatch([
        { data: 'x', ...to, tos: 0xb9, ttl: 9 },
        { data: Buffer.alloc(2500), ...to, segmentSize: 1000, tos: 0x28 },
        { data: 'end', ...to, localAddress: '10.97.0.1' },
      ]);
      socket.close();
    `;
      // A capture that has just begun may miss what comes at once.
      for (let i = 0; i < 50 && !/\t11\n/.test(String(capture.stdout)); i++) {
        await runScript(send, { namespace: near });
      }
      const shown = [
        '0xb9\t9\t10.97.0.1\t9',
        '0x28\t64\t10.97.0.1\t1008',
        '0x28\t64\t10.97.0.1\t1008',
        '0x28\t64\t10.97.0.1\t508',
        '0x00\t64\t10.97.0.1\t11',
      ];
      expect(String(capture.stdout)).toContain(shown.join('\n'));
    });
  },
);

describeWithPeers(['network namespaces', 'avahi-daemon'], 'mDNS', () => {
  it('is answered by avahi, on the interface that it says', async () => {
    const { near, far } = await openNetwork();
    writeFileSync(
      pathTo('avahi.conf'),
      '[server]\nhost-name=sock-test\nuse-ipv6=no\nallow-interfaces=veth0\nenable-dbus=no\n',
    );
    const flags = ['--no-drop-root', '--no-chroot', '--no-rlimits', '-f', pathTo('avahi.conf')];
    await far.launch('avahi-daemon', flags, { ready: /Server startup complete/ });
    const asked = question(0, 'sock-test.local').toString('hex');
    const { stdout, stderr } = await runScript(
      `
      const { DatagramSocket } = require('@sock/dgram');
      const socket = new DatagramSocket({ family: 'ipv4' });
      socket.setReuseAddr(true);
      socket.setRecvPacketInfo(true);
      socket.bind(null, 5353);
      socket.setMulticastInterface('veth0');
      socket.setMulticastLoopback(false);
      socket.joinMulticast('224.0.0.251', 'veth0');
      let answer;
      for (let i = 0; i < 40 && answer === undefined; i++) {
        await socket.sendTo(Buffer.from('${asked}', 'hex'), '224.0.0.251', 5353);
        const heard = await socket.recvFrom(2048, { timeout: 500 }).catch(() => undefined);
        // Others ask, too; answers have the first bit of the flags.
        if (heard !== undefined && (heard.data[2] & 0x80) !== 0) answer = heard;
      }
      const { data, address, interfaceIndex, arrival } = answer;
      console.log(address, data.includes('sock-test'), interfaceIndex > 1, arrival.destination);
      socket.close();
    `,
      { namespace: near },
    );
    expect({ stdout, stderr }).toEqual({
      stdout: '10.97.0.2 true true 224.0.0.251\n',
      stderr: '',
    });
  });
});

const echo = [
  'import socket',
  's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)',
  's.bind(("", 7005))',
  'print("ready", flush=True)',
  'while True: s.sendto(*s.recvfrom(2048))',
].join('\n');

const lossyPeers = ['network namespaces', 'TUN devices', 'python3'];
describeWithPeers(lossyPeers, 'a line that loses much', () => {
  /** What came back of datagrams that are each told by their number, and by what they hold. */
  const roundTrips = `
    const { DatagramSocket } = require('@sock/dgram');
    const socket = new DatagramSocket({ family: 'ipv4' });
    await socket.connect('10.98.0.2', 7005);
    const count = 500;
    const make = (i) => {
      const data = Buffer.alloc(40 + (i % 60), i % 251);
      data.writeUInt32BE(i);
      return data;
    };
    let sent = 0;
    while (sent < count) {
      const some = Array.from({ length: 50 }, (_, i) => ({ data: make(sent + i) }));
      sent += await socket.sendBatch(some);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const numbers = [];
    let wrong = 0;
    for (;;) {
      const got = await socket.recvBatch(64, { timeout: 500 }).catch(() => null);
      if (got === null) break;
      for (const { data } of got) {
        const number = data.readUInt32BE();
        if (!data.equals(make(number))) wrong++;
        numbers.push(number);
      }
    }
    const doubled = numbers.length - new Set(numbers).size;
    const overtaken = numbers.filter((number, i) => number < numbers[i - 1]).length;
    console.log(JSON.stringify({ wrong, doubled, overtaken, back: numbers.length }));
    socket.close();
  `;

  const trip = async (random: Random, faults: Parameters<FaultyNetwork['set']>[0]) => {
    const network = await openFaultyNetwork(random);
    await network.far.launch('python3', ['-c', echo], { ready: /ready/ });
    await network.set(faults);
    const { stdout, stderr } = await runScript(roundTrips, { namespace: network.near });
    expect(stderr).toBe('');
    return JSON.parse(stdout) as Record<'wrong' | 'doubled' | 'overtaken' | 'back', number>;
  };

  it(
    'loses datagrams whole, never a part, and keeps the order of the others',
    seeded(async (random) => {
      const { back, ...rest } = await trip(random, { delayMs: 2, loss: 0.2 });
      expect(rest).toEqual({ wrong: 0, doubled: 0, overtaken: 0 });
      expect(back).toBeGreaterThan(50);
      expect(back).toBeLessThan(500);
    }),
  );

  it(
    'shows datagrams in the order in which they come, each whole and once',
    seeded(async (random) => {
      const { back, overtaken, ...rest } = await trip(random, { loss: 0.1, reorder: 0.3 });
      expect(rest).toEqual({ wrong: 0, doubled: 0 });
      expect(overtaken).toBeGreaterThan(5);
      expect(back).toBeGreaterThan(50);
      expect(back).toBeLessThan(500);
    }),
  );
});
