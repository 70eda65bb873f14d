/**
 * What is driven by hand instead of by the event loop: lookups that were submitted, and races.
 *
 * Theory of operation. Its owner watches one descriptor, which is readable whenever a look would
 * find something: the addon's threads write to it when they have an answer, the kernel when the
 * next deadline passes, and whatever comes by way of the event loop calls `notify`. A look clears
 * it, takes what there is, runs the timers that are due, and sets the next deadline. So nothing
 * needs the event loop, and nothing is missed where it runs.
 */
import { getSystemErrorName } from 'node:util';
import { monotonicMs, SocketError } from '@sock/core';
import { binding, Control, syscallNames } from '@sock/native';
import type { Hand } from './lookups.js';
import { Timers } from './timers.js';

const { control } = binding;

function openNotifier(): { id: number; fd: number } {
  const id = binding.openNotifier();
  if (id >= 0) return { id, fd: control[Control.Extra] as number };
  const code = getSystemErrorName(id);
  const syscall = syscallNames[control[Control.Syscall] as number];
  throw new SocketError(`${syscall} ${code}`, { code, errno: id, syscall });
}

export class Driver implements Hand {
  /** Names it to the addon. */
  readonly notifier: number;
  /** Readable whenever {@link look} would find something; the same until it is closed. */
  readonly fd: number;
  private readonly timers = new Timers();
  /** When the kernel will say that a deadline has passed. */
  private armedMs = Number.POSITIVE_INFINITY;
  private isLooking = false;

  /** Throws a SocketError when there is no descriptor left. */
  constructor() {
    const { id, fd } = openNotifier();
    this.notifier = id;
    this.fd = fd;
  }

  now(): number {
    return monotonicMs();
  }

  setTimeout(task: () => void, delayMs: number): unknown {
    const timer = this.timers.set(task, monotonicMs() + delayMs);
    // A timer of the kernel would take a moment to fire.
    if (delayMs === 0) this.notify();
    else if (!this.isLooking) this.arm();
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.timers.clear(timer);
  }

  /** Milliseconds until a look is needed for time alone; `Infinity` when none is. */
  get leftMs(): number {
    const { nextMs } = this.timers;
    return nextMs === Number.POSITIVE_INFINITY ? nextMs : Math.max(0, nextMs - monotonicMs());
  }

  /** A look would find something now. */
  notify(): void {
    if (!this.isLooking) binding.notify(this.notifier);
  }

  /** Takes what there is, as the function says, and runs what is due. */
  look(take: () => void): void {
    binding.clearNotifier(this.notifier);
    this.isLooking = true;
    try {
      take();
      this.timers.runDue(monotonicMs());
    } finally {
      this.isLooking = false;
      this.arm();
    }
  }

  /** Again: does nothing. */
  close(): void {
    binding.closeNotifier(this.notifier);
  }

  /** A deadline that moves back is left alone: that it comes for nothing once costs less. */
  private arm(): void {
    const { nextMs } = this.timers;
    if (nextMs >= this.armedMs && this.armedMs > monotonicMs()) return;
    if (nextMs === this.armedMs) return;
    this.armedMs = nextMs;
    binding.setNotifierDeadline(this.notifier, nextMs);
  }
}
