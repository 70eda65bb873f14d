export type { Binding, TlsContextHandle } from './binding.js';
export { Errno } from './binding.js';
export type { Backend, CounterName, Family, Role, SocketType } from './constants.js';
export {
  Control,
  counterNames,
  DatagramFlag,
  DatagramMode,
  DatagramWord,
  datagramType,
  Flag,
  families,
  Interest,
  MessageFlag,
  MessageKind,
  PollIn,
  PollOut,
  roles,
  SocketOption,
  slotsPerPage,
  syscallNames,
  tcpFigures,
  types,
  wordsPerDatagram,
  wordsPerEvent,
  wordsPerSlot,
} from './constants.js';
export { Countdown } from './countdown.js';
export { count, countDuration, countRetransmits, readCounters, readDurations } from './counters.js';
export type { Circumstances } from './describe.js';
export { describeError, formatEndpoint } from './describe.js';
export type { DurationCounts, DurationName, Outcome } from './duration-cells.js';
export { durationBounds, durationNames, outcomes } from './duration-cells.js';
export type { Borrower, Ends, Explain, Parts, Traffic, Waiters, Watcher } from './endpoint.js';
export { checkWatcher, Endpoint } from './endpoint.js';
export { closeDescriptorWhenForgotten, closeWhenForgotten, notForgotten } from './forgotten.js';
export { gaiErrorName } from './gai.js';
export { beginStep, iterationEnd, type Step, StepIterator, unsettled } from './iterators.js';
export { LineLevel, type LogEvent, openLog, type TellLine } from './log-channel.js';
export type { Deferred, Limits } from './operation.js';
export {
  checkLimits,
  defer,
  noLimits,
  Operation,
  OperationQueue,
  operationOptionKeys,
} from './operation.js';
export type {
  CompletionSink,
  DeadlineSink,
  Guard,
  LookupSink,
  PendingLookup,
  PollSink,
  Sink,
} from './reactor.js';
export {
  armPoll,
  binding,
  disarmPoll,
  forgetTask,
  holdLoop,
  lookup,
  lookupName,
  pin,
  releaseLoop,
  returnDeadlineId,
  returnRequestKey,
  runNextTurn,
  setDeadline,
  takeDeadlineId,
  takeLookups,
  takeRequestKey,
  tellOfDetached,
  unpin,
  watchTask,
} from './reactor.js';
/** Checks of arguments, for all packages alike. */
export {
  checkArray,
  checkAttached,
  checkBoolean,
  checkDuration,
  checkFunction,
  checkHost,
  checkInteger,
  checkLiteral,
  checkObject,
  checkOneOf,
  checkOptions,
  checkPath,
  checkPort,
  checkRate,
  checkSetting,
  checkSignal,
  checkTime,
  checkTimeout,
  checkUnixType,
  invalidType,
  invalidValue,
  outOfRange,
  pathBytesMax,
  timeoutMaxMs,
  toBytes,
} from './validate.js';
