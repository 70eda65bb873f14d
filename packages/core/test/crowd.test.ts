/** Very many connections at once, between two processes. */
import { type Child, lenientSanitizer, runChild, startChild } from './support/child.js';

interface Report {
  descriptors: number;
  pages: number;
  rssBytes: number;
}

/** V8 keeps what its nursery has grown to, 64 MiB with Node 24: no connection's memory. */
const nodeArgs = ['--expose-gc', '--max-semi-space-size=4'];
/** A sanitizer's allocator gives less back. */
const growthMax = (process.env.LD_PRELOAD === undefined ? 16 : 32) * 1024 * 1024;

async function ask(server: Child<unknown>): Promise<Report> {
  server.process.stdin?.write('report\n');
  return JSON.parse(await server.line()) as Report;
}

it.each([
  ['epoll', 10_000],
  ['poll', 1_000],
] as const)(
  'on %s, %i connections leave no descriptor and no memory behind',
  async (backend, total) => {
    const env = { SOCK_BACKEND: backend, ...lenientSanitizer };
    const server = startChild('crowd', { args: ['server'], env, nodeArgs, timeoutMs: 120_000 });
    const clientArgs = ['clients', await server.line(), total];
    const before = await ask(server);
    const clients = await runChild<Report[]>('crowd', { args: clientArgs, env, nodeArgs });
    server.process.stdin?.end();
    expect(clients).toMatchObject({ code: 0, stderr: '' });
    const after = (await server.ended).report as Report;

    const [first, , last] = clients.report as [Report, Report, Report];
    // Slots are used again: a page holds 1,024 of them.
    const pagesMax = Math.ceil((total + 1) / 1_024) + 1;
    expect(first.pages).toBeLessThanOrEqual(pagesMax);
    expect(last.pages).toBe(first.pages);
    expect(after.pages).toBeLessThanOrEqual(pagesMax);
    expect(last.descriptors).toBeLessThanOrEqual(first.descriptors);
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
    // What the allocator keeps after the first round serves the later ones.
    expect(last.rssBytes - first.rssBytes).toBeLessThan(growthMax);
  },
  120_000,
);
