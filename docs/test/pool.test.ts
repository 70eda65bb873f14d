import { expectOutput, run } from './example.js';

/** A port that is free, and what the test does once the example listens there. */
function meanwhile(body: string): string {
  return `
    const { connect, listen } = require('@sock/core');
    const listener = listen({ host: '127.0.0.1' });
    const port = listener.localPort;
    listener.close();
    process.env.PORT = String(port);
    const dial = () => connect({ host: '127.0.0.1', port });
    const hear = async (socket) => process.stdout.write(String(await socket.recv()));
    setImmediate(async () => {
      ${body}
      process.emit('SIGTERM');
    });
  `;
}

describe('of pools, the example', () => {
  it('socket-pool counts its guests', async () => {
    const guests = `
      const first = await dial();
      await hear(first);
      const second = await dial();
      await hear(second);
      first.close();
      second.close();
    `;
    expectOutput(await run('socket-pool', meanwhile(guests)), [
      'welcome, guest 1; you are 1',
      'welcome, guest 2; you are 2',
    ]);
  });

  it('chat tells everybody what one says, and lets two of an address in', async () => {
    const guests = `
      const ann = await dial();
      await hear(ann);
      const bob = await dial();
      await hear(ann);
      await bob.recv();
      // Reset, while she connects or afterwards.
      const eve = dial().then((socket) => socket.recv());
      await eve.catch(({ code }) => console.log('eve:', code));
      await bob.sendAll('hel');
      await bob.sendAll('lo\\n');
      await hear(ann);
      bob.close();
      await hear(ann);
      ann.close();
    `;
    expectOutput(await run('chat', meanwhile(guests)), [
      'guest 1 is here',
      'guest 2 is here',
      'eve: ECONNRESET',
      'guest 2: hello',
      'guest 2 has left',
    ]);
  });

  it('client-pool asks four questions over two connections', async () => {
    const server = `
      const { serve } = require('@sock/core');
      const server = serve({ host: '127.0.0.1' }, async (socket) => {
        for await (const chunk of socket) await socket.sendAll(String(chunk).toUpperCase());
      });
      process.env.PORT = String(server.localPort);
    `;
    expectOutput(await run('client-pool', server, 'await pool.drain(); server.close();'), [
      'ONE TWO THREE FOUR by 2 connections',
    ]);
  });
});
