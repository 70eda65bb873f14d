/** Descriptors that a process has no room for, or loses sight of. */
import { describeWithPeers, runScript } from '@sock/testing';

describeWithPeers(['prlimit'], 'a process', () => {
  it('that may open no more descriptors is told that some were lost, and leaks none', async () => {
    const { stdout, stderr } = await runScript(`
      const { execFileSync } = require('node:child_process');
      const { readdirSync } = require('node:fs');
      const { Socket } = require('@sock/core');
      const [near, far] = Socket.pair();
      const count = () => readdirSync('/proc/self/fd').length;
      await near.sendMsg({ data: 'lost', fds: new Array(100).fill(near) });
      await near.sendMsg({ data: 'fine', fds: [near] });
      const limit = (most) => {
        execFileSync('prlimit', ['--pid', process.pid, '--nofile=' + most + ':']);
      };
      limit(1000);
      const before = count();
      limit(before + 30);
      const lost = await far.recvMsg();
      limit(1000);
      const tell = ({ data, fds, flags }) =>
        console.log(String(data), fds.length, flags.controlTruncated);
      tell(lost);
      console.log(count() === before);
      const fine = await far.recvMsg();
      tell(fine);
      fine.fds[0].close();
      near.close();
      far.close();
    `);
    expect(stderr).toBe('');
    expect(stdout).toBe('lost 0 true\ntrue\nfine 1 false\n');
  });

  it('that forgets a received descriptor has it closed, with a warning', async () => {
    const { stdout, stderr } = await runScript(
      `
      const { openSync, readdirSync, readlinkSync } = require('node:fs');
      const { Socket } = require('@sock/core');
      const [near, far] = Socket.pair();
      const zero = openSync('/dev/zero');
      const isZero = (fd) => {
        try {
          return readlinkSync('/proc/self/fd/' + fd) === '/dev/zero';
        } catch {
          return false;
        }
      };
      const count = () => readdirSync('/proc/self/fd').filter(isZero).length;
      const receive = async () => {
        near.sendMsgSync({ data: 'x', fds: [zero] });
        return (await far.recvMsg()).fds.length;
      };
      console.log(await receive(), count());
      while (count() > 1) {
        globalThis.gc();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      near.close();
      far.close();
    `,
      { nodeArgs: ['--expose-gc'] },
    );
    expect(stdout).toBe('1 2\n');
    expect(stderr.match(/SOCK_NOT_CLOSED.*a received descriptor was collected/g)).toHaveLength(1);
  });
});
