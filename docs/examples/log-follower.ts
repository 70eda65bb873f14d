import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Socket } from '@sock/core';
import { PollEvents, SocketPoll } from '@sock/poll';

const folder = mkdtempSync(join(tmpdir(), 'log-'));
const path = join(folder, 'log');
appendFileSync(path, '');

// Node has no inotify_init(2). Whoever has one can pass the descriptor over a Unix socket: here
// Python, which is gone by the time it is used. 2 is IN_MODIFY.
const program = `
import ctypes, os, socket, sys
libc = ctypes.CDLL(None)
fd = libc.inotify_init1(os.O_NONBLOCK)
libc.inotify_add_watch(fd, os.fsencode(sys.argv[1]), 2)
socket.send_fds(socket.socket(fileno=3), [b"inotify"], [fd])
`;
const [channel, theirs] = Socket.pair();
const theirFd = theirs.detach();
spawn('python3', ['-c', program, path], { stdio: ['ignore', 'inherit', 'inherit', theirFd] });
closeSync(theirFd);
const { fds } = await channel.recvMsg();
const inotify = fds[0]?.take() ?? -1;
channel.close();

const [control, operator] = Socket.pair();
const log = openSync(path, 'r');
const memory = Buffer.alloc(4096);
const poll = new SocketPoll();
poll.add(inotify, PollEvents.Read);
poll.add(control, PollEvents.Read);

appendFileSync(path, 'started\n');
await poll.run(({ socket }) => {
  if (socket === inotify) {
    readSync(inotify, memory); // which of the events it was does not matter
    for (let count = 1; count > 0; ) {
      count = readSync(log, memory);
      process.stdout.write(memory.subarray(0, count));
    }
    operator.trySend('stop'); // the operator has seen enough
  } else if (socket === control) {
    console.log(`the operator says ${control.tryRecv()}`);
    poll.close();
  }
});
for (const fd of [inotify, log]) closeSync(fd);
for (const socket of [control, operator]) socket.close();
rmSync(folder, { recursive: true });
