/** Runs what looks names up in namespaces of its own: no name leaves this machine. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PACKAGE_ROOT, pinned } from './commands.js';
import { LineProcess } from './line-process.js';
import type { LookupWorkload } from './lookup-workloads.js';
import type { MeasureSettings, Sample } from './measure.js';
import { readLookupResult } from './records.js';
import type { Contender } from './workloads.js';

const LIMIT_MS = 60_000;

/** Namespaces take root, and dnsmasq is a package of its own. */
export function canLookUp({ server }: LookupWorkload): boolean {
  const programs = server === 'dnsmasq' ? 'command -v dnsmasq && true' : 'true';
  return spawnSync('unshare', ['--net', '--mount', 'sh', '-c', programs]).status === 0;
}

/** The files that getaddrinfo(3) goes by, each over the system's own. */
function covers(folder: string, { server, names }: LookupWorkload): string[] {
  const hosts = Array.from({ length: names }, (_, index) => `127.0.0.1 host-${index}.test\n`);
  const isAsked = server === 'dnsmasq';
  const files: Record<string, string> = {
    '/etc/hosts': isAsked ? '127.0.0.1 localhost\n' : hosts.join(''),
    '/etc/resolv.conf': 'nameserver 127.0.0.1\noptions timeout:5 attempts:1\n',
    '/etc/nsswitch.conf': 'hosts: files dns\n',
  };
  writeFileSync(join(folder, 'names'), hosts.join(''));
  return Object.entries(files).map(([path, content], index) => {
    const cover = join(folder, `cover-${index}`);
    writeFileSync(cover, content);
    return `mount --bind ${cover} ${path}`;
  });
}

function commandFor(contender: Contender, workload: LookupWorkload, folder: string): string[] {
  const script = ['ip link set lo up', ...covers(folder, workload), 'exec "$@"'].join('\n');
  const { work, server, lookups, names, inFlight } = workload;
  return [
    ...['unshare', '--net', '--mount', 'sh', '-ec', script, 'sh'],
    ...[process.execPath, '--expose-gc', join(PACKAGE_ROOT, 'servers/lookup.mjs')],
    ...['--workload', work, '--by', contender.id, '--server', server],
    ...['--hosts', join(folder, 'names'), '--lookups', String(lookups)],
    ...['--names', String(names), '--inFlight', String(inFlight)],
  ];
}

export async function sampleLookup(
  contender: Contender,
  workload: LookupWorkload,
  settings: MeasureSettings,
): Promise<Sample> {
  const folder = mkdtempSync(join(tmpdir(), 'sock-bench-'));
  try {
    const command = commandFor(contender, workload, folder);
    await using child = new LineProcess(pinned(command, settings.placement?.server));
    return await child.next(readLookupResult, LIMIT_MS);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
