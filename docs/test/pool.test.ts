import { expectOutput, run } from './example.js';

/** Guests that say what they were told, one after the other; the last one stops the server. */
const guests = `
  const { connect, listen, Socket } = require('@sock/core');
  const listener = listen({ host: '127.0.0.1' });
  const port = listener.localPort;
  listener.close();
  process.env.PORT = String(port);
  setImmediate(async () => {
    const first = await connect({ host: '127.0.0.1', port });
    process.stdout.write(String(await first.recv()));
    const second = await connect({ host: '127.0.0.1', port });
    process.stdout.write(String(await second.recv()));
    first.close();
    second.close();
    process.emit('SIGTERM');
  });
`;

describe('of pools, the example', () => {
  it('socket-pool counts its guests', async () => {
    expectOutput(await run('socket-pool', guests), [
      'welcome, guest 1; you are 1',
      'welcome, guest 2; you are 2',
    ]);
  });
});
