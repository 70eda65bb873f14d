import { expectOutput, run } from './example.js';

describe('of diagnostics, the example', () => {
  it('tells who closed what, and what could not be reached', async () => {
    expectOutput(await run('diagnostics'), [
      '127.0.0.1: 0 in, 5 out, ok',
      '127.0.0.1: 5 in, 0 out, ok',
      '@sock-docs-nobody: ECONNREFUSED',
    ]);
  });
});
