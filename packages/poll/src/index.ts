export type { AsyncBackend } from './async-engine.js';
export {
  AsyncIO,
  type AsyncIOOptions,
  type AsyncRecvOptions,
  type AsyncSendOptions,
} from './async-io.js';
export type { WakeupEvent } from './diagnostics.js';
export { type PollBackend, PollEvents } from './poll-events.js';
export type { Target } from './registrations.js';
export {
  type PollEvent,
  type PollWaitOptions,
  SocketPoll,
  type SocketPollOptions,
} from './socket-poll.js';
export type { Timer } from './timer.js';
export { Waker } from './waker.js';
