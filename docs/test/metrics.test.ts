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

  it('prometheus serves what can be scraped', async () => {
    const { code, stdout, stderr } = await run('prometheus', 'process.env.METRICS_PORT = 0;');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [made, window] = stdout.split('\n');
    expect(made).toBe('sock_connect_duration_seconds_count{outcome="success"} 1');
    expect(window).toMatch(/^sock_tcp_connection_congestion_window{socket="upstream"} \d+$/);
  });

  it('opentelemetry prints a connection that failed', async () => {
    const { code, stdout, stderr } = await run('opentelemetry');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [, values] = /name: 'sock\.connect\.duration'([\s\S]*?\n})/.exec(stdout) ?? [];
    expect(values).toMatch(/'error\.type': '_OTHER'/);
    expect(values).toMatch(/count: 1/);
  });
});
