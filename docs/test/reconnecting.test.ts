import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  describeWithPeers,
  launch,
  startScript,
  stopPeers,
  until,
  useFolder,
  within,
} from '@sock/testing';
import { bodyOf, expectOutput, run } from './example.js';

const root = join(__dirname, '..', '..');
const server = join(root, 'packages', 'reconnect', 'test', 'server.py');

/** A server that hangs up on the first to come, and says goodbye to the second. */
const twice = `
  const { serve } = require('@sock/core');
  let count = 0;
  const server = serve({ host: '127.0.0.1' }, async (socket) => {
    await socket.sendAll(++count === 1 ? 'welcome' : 'goodbye');
    await socket.end();
  });
  process.env.PORT = String(server.localPort);
`;

describe('of connections that come back, the example', () => {
  it('reconnecting goes on with the next connection', async () => {
    expectOutput(await run('reconnecting', twice, 'server.close();'), [
      'connected',
      'welcome',
      'lost: the peer has ended the stream',
      'connected',
      'goodbye',
    ]);
  });

  it('reconnecting-buffer sends when it can', async () => {
    const before = `
      const { serve } = require('@sock/core');
      let text = '';
      const server = serve({ host: '127.0.0.1' }, async (socket) => {
        for await (const chunk of socket) text += chunk;
        console.log(text.trimEnd());
      });
      process.env.PORT = String(server.localPort);
    `;
    const { code, stdout, stderr } = await run('reconnecting-buffer', before, 'server.close();');
    expect({ code, stderr, lines: stdout.trim().split('\n').sort() }).toEqual({
      code: 0,
      stderr: '',
      lines: ['all is sent', 'hello', 'this may be cut off'],
    });
  });

  it('circuit-breaker stops asking what keeps failing', async () => {
    const lines = ['not asked: it has failed 3 times in a row'];
    expectOutput(await run('circuit-breaker'), lines);
  });
});

describeWithPeers(['python3'], 'of connections that come back, with a server, the example', () => {
  it('reconnecting-by-hand needs no event loop', async () => {
    const args = [server, 'goodbye', '127.0.0.1'];
    const { ready } = await launch('python3', args, { ready: /port (\d+)/ });
    const before = `process.env.PORT = '${ready[1]}';`;
    expectOutput(await run('reconnecting-by-hand', before), ['goodbye']);
  });
});

describe('the example log-shipper', () => {
  const path = useFolder();
  const kills = 20;

  const linesIn = (file: string): number => readFileSync(file, 'utf8').split('\n').length - 1;

  it('neither loses nor doubles a line while its server is killed twenty times', async () => {
    const file = path('log');
    const start = (port: string) =>
      startScript(bodyOf('log-server'), {
        env: { PORT: port, LOG_FILE: file },
        ready: /port (\d+)/,
      });
    let server = await start('0');
    const port = String(server.ready[1]);
    const shipper = await startScript(bodyOf('log-shipper'), { env: { PORT: port } });
    let written = 0;
    const writing = setInterval(() => {
      for (let i = 0; i < 10; i++) shipper.stdin.write(`line ${++written}\n`);
    }, 1);
    try {
      for (let kill = 0; kill < kills; kill++) {
        const before = linesIn(file);
        await until(10_000, () => linesIn(file) > before, 'progress');
        process.kill(server.pid, 'SIGKILL');
        await server.ended;
        server = await start(port);
      }
    } finally {
      clearInterval(writing);
      shipper.stdin.end();
    }
    const { stdout, stderr, code } = await within(20_000, shipper.ended);
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(stdout.toString()).toBe(`${written} lines are on the server\n`);
    const expected = Array.from({ length: written }, (_, i) => `${i + 1} line ${i + 1}\n`);
    expect(readFileSync(file, 'utf8') === expected.join('')).toBe(true);
  });

  afterEach(stopPeers);
});
