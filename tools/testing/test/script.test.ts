import { describeWithPeers, runScript } from '@sock/testing';

describe('runScript', () => {
  it('runs against the sources of the packages', async () => {
    const { code, stdout, stderr } = await runScript(`
      const { Socket } = require('@sock/core');
      const [near, far] = Socket.pair();
      far.sendAllSync('through the sources');
      console.log(near.recvSync().toString(), require.resolve('@sock/core').slice(-12));
      near.close();
      far.close();
    `);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: 'through the sources src/index.ts\n',
      stderr: '',
    });
  });

  it('reports the exit code and what was printed', async () => {
    const result = await runScript("console.error('oh'); process.exitCode = 7;");
    expect(result).toMatchObject({ code: 7, signal: null, stderr: 'oh\n', leakedSockets: 0 });
  });

  it('reports a failure as Node does', async () => {
    const { code, stderr } = await runScript("throw new Error('unheard of');");
    expect(code).toBe(1);
    expect(stderr).toContain('unheard of');
  });

  it('reports a crash', async () => {
    const result = await runScript('process.abort();');
    expect(result).toMatchObject({ code: null, signal: 'SIGABRT', leakedSockets: undefined });
  });

  it('counts the sockets that were left open', async () => {
    const { leakedSockets } = await runScript(`
      globalThis.kept = require('@sock/core').Socket.pair();
    `);
    expect(leakedSockets).toBe(2);
  });

  it('ends a script that takes too long', async () => {
    const run = runScript("console.log('begun'); setInterval(() => {}, 1000);", { limitMs: 500 });
    await expect(run).rejects.toThrow(/took longer than 2500 ms\nbegun/);
  });

  it('passes input, environment and arguments on', async () => {
    const { stdout } = await runScript(
      `
        const given = require('node:fs').readFileSync(0, 'utf8');
        console.log(given, process.env.GIVEN, typeof gc);
      `,
      { input: 'in', env: { GIVEN: 'env' }, nodeArgs: ['--expose-gc'] },
    );
    expect(stdout).toBe('in env function\n');
  });
});

describeWithPeers(['strace that may trace'], 'runScript with injected errors', () => {
  it('lets system calls fail as told, and shows which did', async () => {
    const { code, stdout, trace } = await runScript(
      `
        const { Socket } = require('@sock/core');
        try {
          Socket.pair();
        } catch (error) {
          console.log(error.code, error.syscall);
        }
        for (const socket of Socket.pair()) socket.close();
      `,
      { inject: ['socketpair:error=EMFILE:when=1'] },
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'EMFILE socketpair\n' });
    expect(trace).toMatch(/socketpair\(.*EMFILE .*\(INJECTED\)/);
  });
});
