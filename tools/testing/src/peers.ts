/** What tests need and a machine may not have. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { stopPeers } from './launch.js';

function canRun(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function succeeds(command: string, ...args: string[]): boolean {
  const { LD_PRELOAD: _, ...env } = process.env;
  return spawnSync(command, args, { env }).status === 0;
}

function inNamespace(command: string): boolean {
  return succeeds('unshare', '--net', ...command.split(' '));
}

/** Makes a ring and lets it go. 425 is io_uring_setup(2) on every architecture but Alpha. */
const makeRing =
  'import ctypes as c; exit(c.CDLL(None).syscall(425, 1, c.create_string_buffer(120)) < 0)';

/** Peers that are more than a program on the path. */
const abilities: Readonly<Record<string, () => boolean>> = {
  'network namespaces': () => inNamespace('ip link add veth0 type veth peer name veth1'),
  'mount namespaces': () => succeeds('unshare', '--mount', 'true'),
  'TUN devices': () => inNamespace('ip tuntap add tun0 mode tun'),
  'nft in a namespace': () => inNamespace('nft add table inet any'),
  io_uring: () => succeeds('python3', '-c', makeRing),
  'strace that may trace': () => succeeds('strace', '-o', '/dev/null', 'true'),
};

/** Those of the peers that are not here. A peer is a program, or one of the abilities. */
export function missingPeers(peers: readonly string[]): string[] {
  return peers.filter((peer) => !(abilities[peer] ?? (() => canRun(peer)))());
}

/**
 * Describes tests that need peers. Where one is missing they are skipped, under a name that says
 * so; with `SOCK_REQUIRE_PEERS=1` they fail instead. Programs that they launch end with each test.
 */
export function describeWithPeers(peers: readonly string[], name: string, body: () => void): void {
  const missing = missingPeers(peers);
  if (missing.length === 0) {
    describe(name, () => {
      afterEach(stopPeers);
      body();
    });
    return;
  }
  const reason = `needs ${missing.join(', ')}`;
  if (process.env.SOCK_REQUIRE_PEERS !== '1') {
    describe.skip(`${name} (${reason})`, body);
    return;
  }
  describe(name, () => {
    it('finds its peers', () => {
      throw new Error(`${reason}, which SOCK_REQUIRE_PEERS=1 requires`);
    });
  });
}
