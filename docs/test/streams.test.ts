import { createHash } from 'node:crypto';
import { runScript } from '@sock/testing';
import { bodyOf, expectOutput, run } from './example.js';

describe('of streams, the example', () => {
  it('echo-server answers the example echo-client, and ends on SIGINT', async () => {
    const result = await runScript(`
      process.env.PORT = '0';
      const print = console.log;
      const listening = new Promise((resolve) => {
        console.log = (line) => resolve(/^listening on port (\\d+)$/.exec(line)[1]);
      });
      const server = (async () => ${bodyOf('echo-server')})();
      process.env.PORT = await listening;
      console.log = print;
      ${bodyOf('echo-client')}
      process.kill(process.pid, 'SIGINT');
      await server;
      print('the server has ended');
    `);
    expectOutput(result, ['answer: hello', 'the server has ended']);
  });

  it('tempos receives the same in each of the three', async () => {
    expectOutput(await run('tempos'), ['ping', 'ping', 'ping', 'null']);
  });

  it('errors tells that nobody listens', async () => {
    // A port that is taken, so that nobody else can begin to listen there.
    const before = `
      const { Socket } = require('@sock/core');
      const holder = new Socket({ family: 'ipv4' });
      holder.bind('127.0.0.1', 0);
      process.env.PORT = String(holder.localPort);
    `;
    const result = await run('errors', before, 'holder.close();');
    expectOutput(result, ['nobody listens on 127.0.0.1; worth another try: true']);
  });

  it('limits gives up in every way, and loses nothing', async () => {
    expectOutput(await run('limits'), [
      'recv timed out after 20 ms',
      'recv timed out after 20 ms',
      'The operation was aborted',
      'still here',
    ]);
  });

  it('lifetime rejects what was waiting', async () => {
    expectOutput(await run('lifetime'), ['ERR_SOCK_CLOSED']);
  });

  it('unix says hello through a path and a name', async () => {
    expectOutput(await run('unix'), ['hello', 'hello']);
  });

  it('framing receives messages as they were sent', async () => {
    expectOutput(await run('framing'), ['"one"', '"two"', '""']);
  });

  it('vectors sends and receives several places as one', async () => {
    expectOutput(await run('vectors'), ['33 bytes: 27, "several places, one message", "\\r\\n"']);
  });

  it('reuse hashes every byte once', async () => {
    const sum = createHash('sha256').update('x'.repeat(4 * 1024 * 1024));
    expectOutput(await run('reuse'), [sum.digest('hex')]);
  });
});
