import { useFolder } from '@sock/testing';
import { expectOutput, run } from './example.js';

describe('of files, the example', () => {
  const file = useFolder();

  it('send-file serves the part that was asked for', async () => {
    const before = `process.env.FILE = ${JSON.stringify(file('film'))};`;
    const { stdout, ...rest } = await run('send-file', before);
    // However the stream was cut into chunks.
    const joined = { ...rest, stdout: `${stdout.replaceAll('\n', '')}\n` };
    expectOutput(joined, ['part: in two parts']);
  });

  it('send-file-errors tells which file, and how much had gone', async () => {
    expectOutput(await run('send-file-errors'), [
      'ENOENT /no/such/file, after 0 bytes',
      'EINVAL /tmp, after 0 bytes',
    ]);
  });
});
