import { runScript } from '@sock/testing';

describe('npm start', () => {
  it('moves bytes over every transport beside node:net', async () => {
    const { code, stdout, stderr, leakedSockets } = await runScript(
      `
        const { tried } = require('./tools/demo/src/effort.ts');
        const { demo } = require('./tools/demo/src/demo.ts');
        await demo(tried);
      `,
      { limitMs: 50_000 },
    );
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(leakedSockets).toBe(0);
    for (const transport of ['TCP over IPv4', 'Unix path', 'abstract name']) {
      expect(stdout).toMatch(
        new RegExp(`^echo 64 B × 4, ${transport}: [\\d,]+ answers compared`, 'm'),
      );
    }
    expect(stdout).toMatch(/^GET by node:http × 4, TCP over IPv4: [\d,]+ answers compared/m);
    // Twice 9 MiB.
    expect(stdout).toMatch(/8\.2 MiB with a limit of 8 MiB\/s: [\d,]+ bytes, SHA-256 /);
    expect(stdout).toMatch(/MiB\/s of 8 allowed, after the burst.* none /);
    expect(stdout).toContain('9 MiB through a slow reader: 18,874,368 bytes, SHA-256 ');
    for (const title of ['a file of 9 MiB sent', '9 MiB through a proxy']) {
      // Once with each library.
      const bytes = '18,874,368 bytes, 2 times SHA-256 [0-9a-f]{16}… as of the file$';
      expect(stdout).toMatch(new RegExp(`^${title}: ${bytes}`, 'm'));
    }
    for (const name of ['sender', 'proxy']) {
      expect(stdout).toMatch(new RegExp(` ${name}'s CPU, ms +[│|] .*\\d.* ×`));
    }
    expect(stdout).toMatch(/^open files passed, Unix path: [\d,]+ files without a name, SHA-256 /m);
    expect(stdout).toMatch(/files\/s, each read and answered.* none /);
    expect(stdout).toMatch(/^UDP, 64 datagrams at a time: 1024 datagrams came back once each/m);
    expect(stdout).toMatch(
      /^one poll: TCP × 4, a pipe, timers: [\d,]+ answers and 99,999 lines of the pipe compared/m,
    );
    expect(stdout).toContain('TLS × 4: 4 certificates verified, 160 answers compared');
    expect(stdout).toMatch(/ms CPU, handshake and 40 echoes .*\d.* ×/);
    expect(stdout).toContain('comes back, 20 times: 20 losses noticed, 20 echoes after them');
    expect(stdout).toContain('3 of each address: 60 let in, 140 refused: 3 of each address');
    expect(stdout).toMatch(/ms until connected +[│|] .*\d.* ×/);
    expect(stdout).toMatch(/^ {2}127\.0\.0\.2 +├─* *lost$/m);
    expect(stdout).toMatch(/^ {2}127\.0\.0\.1 +├─* *won$/m);
  }, 120_000);

  it('says what went wrong, goes on, and ends with an error', async () => {
    const { code, stdout } = await runScript(`
      const { show } = require('./tools/demo/src/demo.ts');
      const obstacle = () => undefined;
      const figures = [{ unit: 'messages/s', ours: 3000, theirs: 2000 }];
      await show([
        { title: 'a', obstacle, run: async () => { throw new Error('answer 3 is wrong'); } },
        { title: 'b', obstacle: () => 'no such thing here', run: () => process.abort() },
        { title: 'c', obstacle, run: async () => ({ figures, verified: '7 answers' }) },
      ]);
    `);
    expect(code).toBe(1);
    expect(stdout).toContain('a: FAILED: answer 3 is wrong\n');
    expect(stdout).toContain('skipped: no such thing here');
    expect(stdout).toMatch(/c .* 3,000 .* 2,000 .* 1\.50 ×/);
    expect(stdout).toContain('c: 7 answers\n');
  });
});
