/** What happens where kernel or sandbox refuse io_uring. */
import { describeWithPeers, runScript } from '@sock/testing';

const body = `
  const { Socket } = require('@sock/core');
  const { AsyncIO } = require('@sock/poll');
  console.log(AsyncIO.isAvailable);
  const io = new AsyncIO();
  console.log(io.backendName);
  const [near, far] = Socket.pair();
  await io.send(near, 'hello');
  console.log(String(await io.recv(far)));
  await io[Symbol.asyncDispose]();
  try {
    new AsyncIO({ backend: 'io_uring' });
  } catch (error) {
    console.log(error.name, error.code, error.cause.code);
  }
  near.close();
  far.close();
`;

/** All that the process may have. */
const takeDescriptors = `
  const fs = require('node:fs');
  const files = [];
  try {
    for (;;) files.push(fs.openSync('/dev/null'));
  } catch {}
  const giveDescriptors = () => files.forEach((file) => fs.closeSync(file));
`;

describeWithPeers(['strace that may trace'], 'where io_uring is refused', () => {
  it.each(['ENOSYS', 'EPERM', 'EACCES', 'EINVAL', 'ENOMEM'])(
    'readiness takes its place: %s',
    async (code) => {
      const result = await runScript(body, { inject: [`io_uring_setup:error=${code}`] });
      expect(result.stdout.trim().split('\n')).toEqual([
        'false',
        'edge-triggered',
        'hello',
        `AsyncIOError ERR_SOCK_UNSUPPORTED ${code}`,
      ]);
      expect(result.leakedSockets).toBe(0);
    },
  );

  it('in part, readiness takes its place too', async () => {
    const result = await runScript(body, { inject: ['io_uring_register:error=EINVAL'] });
    expect(result.stdout).toContain('false\nedge-triggered\nhello\n');
  });

  it('out of descriptors it is an error, which passes', async () => {
    const result = await runScript(
      `
      const { AsyncIO } = require('@sock/poll');
      ${takeDescriptors}
      try {
        new AsyncIO();
      } catch (error) {
        console.log(error.name, error.code, error.retryable);
      }
      giveDescriptors();
      const io = new AsyncIO();
      console.log(io.backendName);
      io.close();
    `,
      { limitMs: 20_000 },
    );
    expect(result.stdout).toBe('AsyncIOError EMFILE true\nio_uring\n');
  });

  it('out of descriptors accepting goes on after a pause', async () => {
    const result = await runScript(
      `
      const { connect, listen } = require('@sock/core');
      const { AsyncIO } = require('@sock/poll');
      const io = new AsyncIO();
      const listener = listen({ host: '127.0.0.1' });
      process.on('warning', (warning) => console.log(warning.code));
      const client = await connect({ host: '127.0.0.1', port: listener.localPort });
      ${takeDescriptors}
      const warned = new Promise((resolve) => process.once('warning', resolve));
      const steps = io.accepts(listener);
      const first = steps.next();
      await warned;
      giveDescriptors();
      (await first).value.close();
      await steps.return();
      client.close();
      listener.close();
      await io[Symbol.asyncDispose]();
      console.log('done');
    `,
      { limitMs: 20_000 },
    );
    expect(result.stdout).toBe('EMFILE\ndone\n');
    expect(result.leakedSockets).toBe(0);
  });
});
