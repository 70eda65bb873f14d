/** Groups, by interface and source, and broadcasts. */
import { join } from 'node:path';
import { DatagramSocket } from '@sock/dgram';
import { describeWithPeers, type Network, openNetwork, runScript, useCleanup } from '@sock/testing';
import { type InetFamily, loopback, portOf } from './support.js';

const cleanup = useCleanup();

const group: Readonly<Record<InetFamily, string>> = { ipv4: '239.77.1.2', ipv6: 'ff02::7:1:2' };
const otherGroup: Readonly<Record<InetFamily, string>> = {
  ipv4: '239.77.9.9',
  ipv6: 'ff02::9:9:9',
};

/** Bound to every address, for groups; on loopback, where no network has to be. */
function member(family: InetFamily, port = 0): DatagramSocket {
  const socket = cleanup.add(new DatagramSocket({ family }));
  socket.setReuseAddr(true);
  socket.setMulticastAll(false);
  socket.bind(null, port);
  return socket;
}

function speaker(family: InetFamily): DatagramSocket {
  const socket = cleanup.add(new DatagramSocket({ family }));
  socket.bind(loopback[family], 0);
  socket.setMulticastInterface('lo');
  return socket;
}

/** Of IPv6 only what needs no route on loopback, which most hosts do not have there. */
describe('a group', () => {
  const family = 'ipv4';

  it('is joined on an interface by name or number, and left', async () => {
    const one = member(family);
    const two = member(family, portOf(one));
    one.joinMulticast(group[family], 'lo');
    two.joinMulticast(group[family], 1);
    const from = speaker(family);
    await from.sendTo('both', group[family], portOf(one));
    expect(String(await one.recv())).toBe('both');
    expect(String(await two.recv())).toBe('both');
    two.leaveMulticast(group[family], 'lo');
    await from.sendTo('one', group[family], portOf(one));
    expect(String(await one.recv())).toBe('one');
    expect(two.tryRecv()).toBeNull();
    expect(() => two.leaveMulticast(group[family], 'lo')).toThrow(
      expect.objectContaining({ code: 'EADDRNOTAVAIL', address: group[family] }),
    );
    expect(() => one.joinMulticast(group[family], 'lo')).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE' }),
    );
  });

  it('says by itself which group and interface a datagram came by', async () => {
    const socket = member(family);
    socket.setRecvPacketInfo(true);
    for (const address of [group[family], otherGroup[family]]) {
      socket.joinMulticast(address, 'lo');
      await speaker(family).sendTo('x', address, portOf(socket));
      const { arrival, interfaceIndex, localAddress } = await socket.recvFrom();
      expect([arrival?.destination, interfaceIndex]).toEqual([address, 1]);
      // What came to a group is answered from an address of this host.
      expect(localAddress).toBe('127.0.0.1');
    }
  });

  it('can be answered with what was received', async () => {
    const socket = member(family);
    socket.setRecvPacketInfo(true);
    socket.joinMulticast(group[family], 'lo');
    const from = speaker(family);
    await from.sendTo('question', group[family], portOf(socket));
    await socket.sendBatch(await socket.recvBatch());
    expect(await from.recvFrom()).toMatchObject({
      data: Buffer.from('question'),
      address: loopback[family],
      port: portOf(socket),
    });
  });

  it('is joined for one source', async () => {
    const socket = member(family);
    socket.joinSourceMulticast(group[family], loopback[family], 'lo');
    const from = speaker(family);
    await from.sendTo('from it', group[family], portOf(socket));
    expect(String(await socket.recv())).toBe('from it');
    socket.leaveSourceMulticast(group[family], loopback[family], 'lo');
    const stranger = '192.0.2.1';
    socket.joinSourceMulticast(group[family], stranger, 'lo');
    await from.sendTo('not from it', group[family], portOf(socket));
    expect(socket.tryRecv()).toBeNull();
    expect(() => socket.leaveSourceMulticast(group[family], loopback[family], 'lo')).toThrow(
      expect.objectContaining({ code: 'EADDRNOTAVAIL' }),
    );
  });

  it('is sent to with its own hops, and looped back or not', async () => {
    const socket = member(family);
    socket.joinMulticast(group[family], 'lo');
    socket.setRecvTtl(true);
    const from = speaker(family);
    expect([from.getMulticastTtl(), from.getMulticastLoopback()]).toEqual([1, true]);
    from.setMulticastTtl(4);
    await from.sendTo('x', group[family], portOf(socket));
    expect((await socket.recvFrom()).arrival?.ttl).toBe(4);
    from.setMulticastLoopback(false);
    expect([from.getMulticastTtl(), from.getMulticastLoopback()]).toEqual([4, false]);
    expect(socket.getMulticastAll()).toBe(false);
  });
});

describe.each<InetFamily>(['ipv4', 'ipv6'])('a group, %s', (family) => {
  it('is an address of the socket’s family, on an interface that is there', () => {
    const socket = member(family);
    const other = group[family === 'ipv4' ? 'ipv6' : 'ipv4'];
    expect(() => socket.joinMulticast(other)).toThrow('"group"');
    expect(() => socket.joinMulticast(loopback[family])).toThrow('"group"');
    expect(() => socket.joinMulticast('a-name')).toThrow('"group"');
    expect(() => socket.joinMulticast(group[family], '')).toThrow('"iface"');
    expect(() => socket.joinMulticast(group[family], -1)).toThrow('"iface"');
    expect(() => socket.joinMulticast(group[family], 'none0')).toThrow(
      expect.objectContaining({ name: 'DatagramError', code: 'ENODEV' }),
    );
    expect(() => socket.joinMulticast(group[family], 999_999)).toThrow(
      expect.objectContaining({ code: 'ENODEV' }),
    );
    expect(() => socket.setMulticastTtl(256)).toThrow('"hops"');
    const unix = cleanup.add(new DatagramSocket({ family: 'unix' }));
    expect(() => unix.joinMulticast(group[family])).toThrow(
      expect.objectContaining({ code: 'ENOTSUP' }),
    );
  });
});

const peer = join(__dirname, 'group_peer.py');

describeWithPeers(['network namespaces', 'python3'], 'between two hosts', () => {
  let network: Network;
  beforeEach(async () => {
    network = await openNetwork();
  });

  it.each<InetFamily>(['ipv4', 'ipv6'])('a group is spoken to by interface, %s', async (family) => {
    await network.far.launch('python3', [peer, 'echo', group[family], '7001', 'veth0'], {
      ready: /ready/,
    });
    const { stdout, stderr } = await runScript(
      `
      const { DatagramSocket } = require('@sock/dgram');
      const [family, group] = ${JSON.stringify([family, group[family]])};
      const socket = new DatagramSocket({ family });
      socket.bind(null, 0);
      socket.setMulticastInterface('veth0');
      socket.setMulticastTtl(2);
      let answer;
      for (let i = 0; i < 500 && answer === undefined; i++) {
        await socket.sendTo('hello', group, 7001);
        answer = await socket.recvFrom(64, { timeout: 50 }).catch(() => undefined);
      }
      console.log(String(answer.data), answer.port, socket.getMulticastTtl());
      socket.close();
    `,
      { namespace: network.near },
    );
    expect({ stdout, stderr }).toEqual({ stdout: 'hello 7001 2\n', stderr: '' });
  });

  it.each<InetFamily>(['ipv4', 'ipv6'])('a group is heard by interface, %s', async (family) => {
    await network.far.launch('python3', [peer, 'speak', group[family], '7001', 'veth0'], {
      ready: /ready/,
    });
    const { stdout, stderr } = await runScript(
      `
      const { DatagramSocket } = require('@sock/dgram');
      const [family, group, other] = ${JSON.stringify([family, group[family], otherGroup[family]])};
      const socket = new DatagramSocket({ family });
      socket.setMulticastAll(false);
      socket.setRecvPacketInfo(true);
      socket.bind(null, 7001);
      socket.joinMulticast(other, 'veth0');
      const silent = (error) => error.code;
      console.log(await socket.recvFrom(64, { timeout: 100 }).catch(silent));
      socket.joinMulticast(group, 'lo');
      console.log(await socket.recvFrom(64, { timeout: 100 }).catch(silent));
      socket.joinMulticast(group, 'veth0');
      const heard = await socket.recvFrom(64, { timeout: 8000 });
      console.log(String(heard.data), heard.arrival.destination, heard.interfaceIndex > 1);
      socket.leaveMulticast(group, 'veth0');
      const from = heard.address.replace(/%.*/, '');
      while (socket.tryRecv() !== null);
      socket.joinSourceMulticast(group, from, 'veth0');
      console.log(String((await socket.recvFrom(64, { timeout: 8000 })).data));
      socket.leaveSourceMulticast(group, from, 'veth0');
      while (socket.tryRecv() !== null);
      socket.joinSourceMulticast(group, family === 'ipv4' ? '10.97.0.99' : 'fd97::99', 'veth0');
      console.log(await socket.recvFrom(64, { timeout: 100 }).catch(silent));
      socket.close();
    `,
      { namespace: network.near },
    );
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toEqual([
      'ERR_SOCK_TIMEOUT',
      'ERR_SOCK_TIMEOUT',
      `hello ${group[family]} true`,
      'hello',
      'ERR_SOCK_TIMEOUT',
      '',
    ]);
  });

  it('a broadcast is sent when it is allowed, and a device is kept to', async () => {
    const { stdout, stderr } = await runScript(
      `
      const { DatagramSocket } = require('@sock/dgram');
      const socket = new DatagramSocket({ family: 'ipv4' });
      socket.bind(null, 7002);
      const to = ['10.97.0.255', 7002];
      console.log(await socket.sendTo('x', ...to).catch((error) => error.code));
      socket.setBroadcast(true);
      console.log(await socket.sendTo('x', ...to), String(await socket.recv()));
      socket.bindToDevice('lo');
      console.log(socket.boundDevice);
      console.log(await socket.sendTo('x', '10.97.0.2', 7002).catch((error) => error.code));
      socket.bindToDevice(null);
      console.log(socket.boundDevice, await socket.sendTo('x', '10.97.0.2', 7002));
      socket.close();
    `,
      { namespace: network.near },
    );
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^EACCES\n1 x\nlo\n(ENETUNREACH|EHOSTUNREACH|1)\nnull 1\n$/);
  });

  it('the MTU of the path is learnt, and told with the error', async () => {
    await network.near.run('ip', 'link', 'set', 'veth0', 'mtu', '1400');
    const { stdout, stderr } = await runScript(
      `
      const { DatagramSocket } = require('@sock/dgram');
      const socket = new DatagramSocket({ family: 'ipv4' });
      await socket.connect('10.97.0.2', 7003);
      console.log(socket.getPathMtu());
      socket.setMtuDiscovery('do');
      socket.setRecvErrors(true);
      console.log(await socket.send(Buffer.alloc(1372)));
      console.log(await socket.send(Buffer.alloc(1373)).catch((error) => error.code));
      let told;
      // Nobody has the port either, which is told of the datagram that was not too long.
      do told = await socket.recvError({ timeout: 5000 });
      while (told.code !== 'EMSGSIZE');
      console.log(told.code, told.origin, told.mtu);
      socket.close();
    `,
      { namespace: network.near },
    );
    expect(stderr).toBe('');
    expect(stdout.split('\n').slice(0, 3)).toEqual(['1400', '1372', 'EMSGSIZE']);
    expect(stdout).toContain('EMSGSIZE local 1400');
  });
});
