import { run } from './example.js';

/** A connection that is refused. */
const before = `
  const { connect, listen } = require('@sock/core');
`;
const after = `
  const gone = listen({ host: '127.0.0.1' });
  const port = gone.localPort;
  gone.close();
  await connect({ host: '127.0.0.1', port }).catch(() => {});
`;

describe('of metrics, the example', () => {
  it('metrics counts, and logs a connection that failed', async () => {
    const { code, stdout, stderr } = await run('metrics', before, after);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '0\n' });
    expect(stderr).toMatch(/core: SocketError: connect ECONNREFUSED 127\.0\.0\.1/);
  });
});
