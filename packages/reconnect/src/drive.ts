/**
 * By whom a reconnecting socket is driven: by the event loop, or by hand. Both say when there is
 * something to look at, and when time alone makes a look worthwhile.
 */
import { getSystemErrorName } from 'node:util';
import { ReconnectError } from '@sock/core';
import { binding, Control, syscallNames, timeoutMaxMs } from '@sock/native';

import { systemClock, type TimerClock } from './clock.js';
import { unwatchHangup, watchHangup } from './hangup-watch.js';

export interface Drive {
  /** Readable whenever a look would find something; −1 where the event loop drives. */
  readonly fd: number;
  /** A look would find something. Never looks within the call. */
  notify(): void;
  /** The look begins. */
  clear(): void;
  /** A look is worthwhile at that time; `keepsLoop`: somebody waits for what it brings. */
  wakeAt(atMs: number, keepsLoop: boolean): void;
  /** A connection is watched for its end, an attempt for its outcome. */
  watch(fd: number, forWriting: boolean): void;
  unwatch(fd: number): void;
  close(): void;
}

/** A timer, the poll for all that were hung up, and microtasks. */
export class LoopDrive implements Drive {
  readonly fd = -1;
  private timer: unknown;
  private timerMs = Number.POSITIVE_INFINITY;
  private keepsLoop = false;
  private isNotified = false;

  constructor(
    private readonly clock: TimerClock,
    private readonly onWork: () => void,
    private readonly onHangup: () => void,
  ) {}

  notify(): void {
    if (this.isNotified) return;
    this.isNotified = true;
    queueMicrotask(() => {
      if (this.isNotified) this.onWork();
    });
  }

  clear(): void {
    this.isNotified = false;
  }

  wakeAt(atMs: number, keepsLoop: boolean): void {
    if (atMs === this.timerMs && keepsLoop === this.keepsLoop) return;
    this.clock.clearTimeout(this.timer);
    this.timerMs = atMs;
    this.keepsLoop = keepsLoop;
    if (atMs === Number.POSITIVE_INFINITY) return;
    const leftMs = Math.max(0, Math.ceil(atMs - this.clock.now()));
    this.timer = this.clock.setTimeout(
      () => {
        this.timerMs = Number.POSITIVE_INFINITY;
        this.onWork();
      },
      Math.min(leftMs, timeoutMaxMs),
    );
    if (!keepsLoop) (this.timer as Partial<NodeJS.Timeout>).unref?.();
  }

  watch(fd: number): void {
    watchHangup(fd, this.onHangup);
  }

  unwatch(fd: number): void {
    unwatchHangup(fd);
  }

  close(): void {
    this.isNotified = false;
    this.wakeAt(Number.POSITIVE_INFINITY, false);
  }
}

/** The net under those that were dropped without close(). */
const forgotten = new FinalizationRegistry<number>((id) => {
  if (binding.closeNotifier(id) === 0) return;
  process.emitWarning('a ReconnectingSocket was collected without close(); it is closed now', {
    code: 'SOCK_NOT_CLOSED',
  });
});

/** One descriptor for a poll of the caller's. */
export class HandDrive implements Drive {
  readonly fd: number;
  private readonly id: number;
  private deadlineMs = Number.POSITIVE_INFINITY;

  /** Throws a ReconnectError when there is no descriptor left. */
  constructor(private readonly clock: TimerClock) {
    this.id = binding.openNotifier();
    if (this.id < 0) {
      const code = getSystemErrorName(this.id);
      const syscall = syscallNames[binding.control[Control.Syscall] as number];
      throw new ReconnectError(`${syscall} ${code}`, { code, errno: this.id, syscall });
    }
    this.fd = binding.control[Control.Extra] as number;
    forgotten.register(this, this.id, this);
  }

  notify(): void {
    binding.notify(this.id);
  }

  clear(): void {
    binding.clearNotifier(this.id);
  }

  /** Only the kernel's own clock can be waited for in a poll. */
  wakeAt(atMs: number): void {
    if (this.clock !== systemClock || atMs === this.deadlineMs) return;
    this.deadlineMs = atMs;
    binding.setNotifierDeadline(this.id, atMs);
  }

  watch(fd: number, forWriting: boolean): void {
    binding.watchWithNotifier(this.id, fd, forWriting);
  }

  unwatch(fd: number): void {
    binding.unwatchWithNotifier(this.id, fd);
  }

  close(): void {
    forgotten.unregister(this);
    binding.closeNotifier(this.id);
  }
}
