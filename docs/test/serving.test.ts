import { runScript } from '@sock/testing';
import { bodyOf, expectOutput } from './example.js';

describe('of serving, the example', () => {
  it('serving answers, and drains on SIGTERM with nobody cut off', async () => {
    const result = await runScript(`
      const { connect } = require('@sock/core');
      process.env.PORT = '0';
      const print = console.log;
      const listening = new Promise((resolve) => {
        console.log = (line) => resolve(/^listening on port (\\d+)$/.exec(line)[1]);
      });
      const server = (async () => ${bodyOf('serving')})();
      const port = Number(await listening);
      console.log = print;
      const socket = await connect({ host: '127.0.0.1', port });
      await socket.sendAll('hello');
      console.log(String(await socket.recv()));
      process.kill(process.pid, 'SIGTERM');
      for await (const chunk of socket) console.log(String(chunk));
      await socket.end();
      await server;
    `);
    expectOutput(result, ['you said hello', '0 connections had to be cut off']);
  });
});
