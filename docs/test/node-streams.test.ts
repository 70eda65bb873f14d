import { runScript } from '@sock/testing';
import { bodyOf, expectOutput, run } from './example.js';

/** Runs an example while the example of a server runs, and ends that. */
function besideServer(name: string) {
  return runScript(`
    process.env.PORT = '0';
    const print = console.log;
    const listening = new Promise((resolve) => {
      console.log = (line) => resolve(/^listening on port (\\d+)$/.exec(line)[1]);
    });
    await (async () => ${bodyOf('http-server')})();
    process.env.PORT = await listening;
    console.log = print;
    await (async () => ${bodyOf(name)})();
    process.kill(process.pid, 'SIGTERM');
  `);
}

describe('of Node’s streams, the example', () => {
  it('http-client gets a page from http-server, which ends on SIGTERM', async () => {
    expectOutput(await besideServer('http-client'), ['hello from /page']);
  });

  it('undici gets one too', async () => {
    expectOutput(await besideServer('undici'), ['hello from /']);
  });

  it('websocket hears its own words', async () => {
    expectOutput(await run('websocket'), ['you said hello']);
  });
});
