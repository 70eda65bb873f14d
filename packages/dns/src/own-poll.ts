/** A poll for one call that blocks: what is watched, and one way to wait. */
import { getSystemErrorName } from 'node:util';
import { type Pollable, type Poller, SocketError } from '@sock/core';
import { binding, Control, Interest, syscallNames } from '@sock/native';

const eventsMax = 16;

function failure(errno: number): SocketError {
  const code = getSystemErrorName(errno);
  const syscall = syscallNames[binding.control[Control.Syscall] as number];
  return new SocketError(`${syscall} ${code}`, { code, errno, syscall });
}

const fdOf = (target: Pollable | number): number =>
  typeof target === 'number' ? target : target.fd;

export class OwnPoll implements Poller {
  private readonly id: number;

  /** Throws a SocketError when there is no descriptor left. */
  constructor() {
    const events = binding.pollCreate(binding.backend, eventsMax);
    if (typeof events === 'number') throw failure(events);
    this.id = binding.control[Control.Extra] as number;
  }

  add(target: Pollable | number, events: number): void {
    const fd = fdOf(target);
    const result = binding.pollAdd(this.id, fd, fd, 0, events | Interest.Level);
    if (result < 0) throw failure(result);
  }

  modify(target: Pollable | number, events: number): void {
    const fd = fdOf(target);
    const result = binding.pollModify(this.id, fd, fd, 0, events | Interest.Level);
    if (result < 0) throw failure(result);
  }

  remove(target: Pollable | number): boolean {
    const fd = fdOf(target);
    binding.pollRemove(this.id, fd, fd, 0);
    return true;
  }

  /** Blocks this thread until one of them is ready or the time is over. */
  wait(limitMs: number): void {
    const result = binding.pollWait(this.id, limitMs);
    if (result < 0) throw failure(result);
  }

  close(): void {
    binding.pollClose(this.id);
  }
}
