/**
 * Network namespaces, where packets can be dropped and refused without anybody else noticing.
 *
 * A namespace is held by a process that waits for the end of its input: when the test is gone,
 * however it went, so are that process, the namespace, its devices and its rules.
 */
import { execFile } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { type LaunchOptions, launch, type Peer } from '../launch.js';
import { until } from '../within.js';

const execute = promisify(execFile);

/** How packets of a kind are answered: `drop`, `reject with tcp reset`, … */
export interface Rule {
  /** What packets, in nft's words: `tcp dport 1001`. */
  readonly match: string;
  readonly verdict: string;
}

export class Namespace {
  private constructor(private readonly holder: Peer) {}

  static async open(): Promise<Namespace> {
    const own = readlinkSync('/proc/self/ns/net');
    const holder = await launch('unshare', ['--net', 'cat']);
    const path = `/proc/${holder.pid}/ns/net`;
    await until(5_000, () => readlinkSync(path) !== own, 'the namespace');
    const namespace = new Namespace(holder);
    await namespace.run('ip', 'link', 'set', 'lo', 'up');
    return namespace;
  }

  /** The process that holds it, by which others find it. */
  get pid(): number {
    return this.holder.pid;
  }

  /** In front of a command, makes it run in here. */
  get prefix(): readonly string[] {
    return ['nsenter', `--net=/proc/${this.pid}/ns/net`];
  }

  /** Runs a command in here until it ends; rejects unless that is in good order. */
  async run(command: string, ...args: string[]): Promise<string> {
    const [nsenter = '', ...prefix] = this.prefix;
    const { LD_PRELOAD: _, ...env } = process.env;
    const { stdout } = await execute(nsenter, [...prefix, command, ...args], { env });
    return stdout;
  }

  /** Starts a program in here. */
  launch(command: string, args: readonly string[], options?: LaunchOptions): Promise<Peer> {
    const [nsenter = '', ...prefix] = this.prefix;
    return launch(nsenter, [...prefix, command, ...args], options);
  }

  /** From now on, packets that come in are treated so. */
  async filter(rules: readonly Rule[]): Promise<void> {
    await this.run('nft', 'add table inet faults');
    await this.run('nft', 'add chain inet faults input { type filter hook input priority 0; }');
    for (const { match, verdict } of rules) {
      await this.run('nft', `add rule inet faults input ${match} ${verdict}`);
    }
  }

  async setSysctl(name: string, value: number): Promise<void> {
    await this.run('sh', '-c', `echo ${value} > /proc/sys/net/${name}`);
  }
}

/** Two namespaces with a cable between them. */
export interface Network {
  readonly near: Namespace;
  readonly far: Namespace;
  readonly nearAddresses: readonly [ipv4: string, ipv6: string];
  readonly farAddresses: readonly [ipv4: string, ipv6: string];
}

const addresses = {
  nearAddresses: ['10.97.0.1', 'fd97::1'],
  farAddresses: ['10.97.0.2', 'fd97::2'],
} as const;

/**
 * Switches the device on at both ends, and only then gives it its addresses: one that is there
 * before the other end is up does not hear the first question who has it. No duplicate detection
 * either; both would take a second.
 */
export async function joinBy(device: string, network: Network): Promise<Network> {
  const ends = [
    [network.near, network.nearAddresses],
    [network.far, network.farAddresses],
  ] as const;
  for (const [end] of ends) await end.run('ip', 'link', 'set', device, 'up');
  for (const [end, [ipv4, ipv6]] of ends) {
    await end.run('ip', 'address', 'add', `${ipv4}/24`, 'dev', device);
    await end.run('ip', 'address', 'add', `${ipv6}/64`, 'dev', device, 'nodad');
  }
  return network;
}

/** Two namespaces joined by a veth pair. They are gone when the test is over. */
export async function openNetwork(): Promise<Network> {
  const [near, far] = await Promise.all([Namespace.open(), Namespace.open()]);
  const peer = ['peer', 'name', 'veth0', 'netns', String(far.pid)];
  await near.run('ip', 'link', 'add', 'veth0', 'type', 'veth', ...peer);
  return joinBy('veth0', { near, far, ...addresses });
}
