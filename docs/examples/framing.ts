import { Socket, SocketClosedError } from '@sock/core';

const lengthMax = 1024 * 1024;

function sendMessage(socket: Socket, text: string): Promise<void> {
  const message = Buffer.alloc(4 + Buffer.byteLength(text));
  message.writeUInt32BE(message.length - 4);
  message.write(text, 4);
  return socket.sendAll(message);
}

/** The next message, or undefined where the stream ends between two of them. */
async function receiveMessage(socket: Socket): Promise<string | undefined> {
  let length: number;
  try {
    length = (await socket.recvAll(4)).readUInt32BE();
  } catch (error) {
    const isEnd = error instanceof SocketClosedError && error.code === 'ERR_SOCK_EOF';
    if (isEnd && error.partial === undefined) return undefined;
    throw error;
  }
  if (length > lengthMax) throw new RangeError(`a message of ${length} bytes`);
  return length === 0 ? '' : (await socket.recvAll(length)).toString();
}

const [near, far] = Socket.pair();
for (const text of ['one', 'two', '']) await sendMessage(near, text);
await near.shutdown('write');
for (;;) {
  const message = await receiveMessage(far);
  if (message === undefined) break;
  console.log(`"${message}"`);
}
near.close();
far.close();
