/** Files that this process could not open: their descriptors come over a socket. */
import { createHash } from 'node:crypto';
import { fstatSync, readSync } from 'node:fs';
import { connect, isSocketError } from '@sock/core';
import type { Place } from './peer.js';

/** The descriptor stands where that of the sender does, so the position is said. */
function contentOf(fd: number): Buffer {
  const content = Buffer.alloc(fstatSync(fd).size);
  return content.subarray(0, readSync(fd, content, 0, content.length, 0));
}

/** Answers each message with the sums of the files that came along, until the stream ends. */
export async function sumPassed(place: Place): Promise<number> {
  await using socket = await connect(place);
  let files = 0;
  try {
    for (;;) {
      const { fds } = await socket.recvMsg();
      for (const received of fds) {
        using file = received;
        await socket.sendAll(createHash('sha256').update(contentOf(file.fd)).digest());
        files++;
      }
    }
  } catch (error) {
    if (isSocketError(error) && error.code === 'ERR_SOCK_EOF') return files;
    throw error;
  }
}
