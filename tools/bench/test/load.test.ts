import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const LOAD = join(__dirname, '../build/load');
const run = promisify(execFile);

/** Runs the load generator against a server in this process, and gives back what it printed. */
async function loadAgainst(handle: (socket: Socket) => void, ...args: string[]): Promise<string> {
  const server = createServer({ noDelay: true }, (socket) => {
    // A load that gives up resets its connections.
    socket.on('error', () => socket.destroy());
    handle(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const target = ['--port', String(port), '--seconds', '0.2', '--connections', '4'];
    const { stdout } = await run(LOAD, [...target, ...args]);
    return stdout;
  } finally {
    server.close();
  }
}

const result = (stdout: string) => JSON.parse(stdout.trim().split('\n').at(-1) ?? '');

const echo = (socket: Socket) => socket.on('data', (chunk) => socket.write(chunk));

function answerOnce(chunk: Buffer, socket: Socket): void {
  socket.write(chunk);
  socket.destroySoon();
}

describe('the load generator', () => {
  it('counts the messages of a server that echoes them', async () => {
    const { operations, errors } = result(await loadAgainst(echo, '--pipeline', '3', 'echo'));
    expect(operations).toBeGreaterThan(0);
    expect(operations % 3).toBe(0);
    expect(errors).toBe(0);
  });

  it('offers no more than the rate it was given', async () => {
    const { operations } = result(await loadAgainst(echo, '--rate', '200', 'echo'));
    expect(operations).toBeGreaterThan(0);
    expect(operations).toBeLessThanOrEqual(44);
  });

  it('ends with an error at one wrong byte', async () => {
    const corrupt = (socket: Socket) => {
      socket.on('data', (chunk: Buffer) => {
        chunk.writeUInt8(chunk.readUInt8(chunk.length - 1) ^ 1, chunk.length - 1);
        socket.write(chunk);
      });
    };
    await expect(loadAgainst(corrupt, 'echo')).rejects.toThrow('wrong echo');
  });

  it('ends with an error at one byte too many', async () => {
    const chatter = (socket: Socket) => {
      socket.on('data', (chunk) => socket.write(Buffer.concat([chunk, Buffer.of(0)])));
    };
    await expect(loadAgainst(chatter, 'echo')).rejects.toThrow('wrong echo');
  });

  it('ends with an error at an answer that belongs to the question before', async () => {
    const late = (socket: Socket) => {
      let previous: Buffer | null = null;
      socket.on('data', (chunk: Buffer) => {
        socket.write(previous ?? chunk);
        previous = chunk;
      });
    };
    await expect(loadAgainst(late, 'echo')).rejects.toThrow('wrong echo');
  });

  it('counts short connections that are echoed and then closed', async () => {
    const handle = (socket: Socket) => {
      socket.once('data', (chunk: Buffer) => answerOnce(chunk, socket));
    };
    const { operations, errors } = result(await loadAgainst(handle, 'connect'));
    expect(operations).toBeGreaterThan(0);
    expect(errors).toBe(0);
  });

  it('counts a short connection that is closed without an answer as an error', async () => {
    const handle = (socket: Socket) => {
      socket.once('data', () => socket.destroySoon());
    };
    const { operations, errors } = result(await loadAgainst(handle, 'connect'));
    expect(operations).toBe(0);
    expect(errors).toBeGreaterThan(0);
  });

  /** Answers with the name that the question asked for, unless told otherwise. */
  const answerPages = (answer: (name: string) => string) => (socket: Socket) => {
    socket.on('data', (chunk: Buffer) => {
      const body = answer(chunk.toString().split(' ')[1] ?? '');
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
      setImmediate(() => socket.write(body));
    });
  };

  it('counts pages that come in pieces', async () => {
    const handle = answerPages((name) => `hello ${name}`);
    const { operations, errors } = result(await loadAgainst(handle, 'http'));
    expect(operations).toBeGreaterThan(0);
    expect(errors).toBe(0);
  });

  it('ends with an error at a page that was not asked for', async () => {
    const handle = answerPages(() => 'hello /1');
    await expect(loadAgainst(handle, 'http')).rejects.toThrow('wrong answer');
  });

  const answerPagesOfFile = (numbers: number[]) => (socket: Socket) => {
    socket.on('data', () => {
      const file = Buffer.alloc(4096 * numbers.length);
      for (const [index, number] of numbers.entries()) file.writeUInt32LE(number, index * 4096);
      // In two pieces, the border within the number of a page.
      socket.write(file.subarray(0, 4099));
      setImmediate(() => socket.write(file.subarray(4099)));
    });
  };

  it('counts the MiB of a file', async () => {
    const handle = answerPagesOfFile(Array.from({ length: 512 }, (_, page) => page));
    const { operations, errors } = result(
      await loadAgainst(handle, '--size', String(2 ** 21), 'file'),
    );
    expect(operations).toBeGreaterThan(0);
    expect(errors).toBe(0);
  });

  it('ends with an error at a page of a file that is out of place', async () => {
    const handle = answerPagesOfFile([0, 1, 3, 2]);
    await expect(loadAgainst(handle, '--size', '16384', 'file')).rejects.toThrow(
      'wrong bytes in page 2',
    );
  });
});
