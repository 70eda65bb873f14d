import { join } from 'node:path';
import { describeWithPeers, launch } from '@sock/testing';
import { expectOutput, run } from './example.js';

const server = join(__dirname, '..', '..', 'packages', 'reconnect', 'test', 'server.py');

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
