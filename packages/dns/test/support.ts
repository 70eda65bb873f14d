import { join } from 'node:path';
import { launch, Namespace, type Peer, runScript, type ScriptOptions } from '@sock/testing';

const script = join(__dirname, 'name_server.py');
const ready = /listening on (\d+)/;

/**
 * What a script prints, each line as JSON. At the end so many threads may still be in the C
 * library, each with a socket.
 */
export async function told(
  body: string,
  options: ScriptOptions = {},
  hanging = 0,
): Promise<unknown[]> {
  const prelude = `
    const { Resolver } = require('@sock/dns');
    const tell = (value) => console.log(JSON.stringify(value));
    const failureOf = async (promise, startMs = performance.now()) => {
      try {
        return { answer: await promise };
      } catch (error) {
        const { name, message } = error;
        return { name, message, ...error, cause: undefined, tookMs: performance.now() - startMs };
      }
    };
  `;
  const { code, stdout, stderr, leakedSockets } = await runScript(prelude + body, options);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(leakedSockets).toBeLessThanOrEqual(hanging);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

/** The name server of name_server.py, on a free port of this host. */
export async function openNameServer(): Promise<{ server: string; peer: Peer }> {
  const peer = await launch('python3', [script, '127.0.0.1', '0'], { ready });
  return { server: `127.0.0.1:${peer.ready[1]}`, peer };
}

/** A network namespace with the name server in it, and what to run a script in it with. */
export async function openNamed(hosts = ''): Promise<{ peer: Peer; options: ScriptOptions }> {
  const namespace = await Namespace.open();
  const peer = await namespace.launch('python3', [script, '127.0.0.1', '53'], { ready });
  return { peer, options: { namespace, files: filesFor(hosts) } };
}

/** The files by which getaddrinfo(3) goes: the hosts file, then the name server of the host. */
export function filesFor(hosts: string): Record<string, string> {
  return {
    '/etc/hosts': `127.0.0.1 localhost\n${hosts}`,
    '/etc/nsswitch.conf': 'hosts: files dns\n',
    '/etc/resolv.conf': 'nameserver 127.0.0.1\nsearch search.test\noptions timeout:20 attempts:1\n',
  };
}

/** How often the server was asked for a name. */
export function askedFor(peer: Peer, name: string): number {
  return peer.stdout
    .toString()
    .split('\n')
    .filter((line) => line.split(' ')[1] === name).length;
}
