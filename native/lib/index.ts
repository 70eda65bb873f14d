// Values are exported as plain properties: where the sources are run as they are, a re-export would
// be a getter, which the hot paths of the other packages would call for every message.

import * as addon from './binding.js';
import * as constants from './constants.js';
import * as countdown from './countdown.js';
import * as counters from './counters.js';
import * as describe from './describe.js';
import * as endpoint from './endpoint.js';
import * as forgotten from './forgotten.js';
import * as gai from './gai.js';
import * as iterators from './iterators.js';
import * as operation from './operation.js';
import * as reactor from './reactor.js';
import * as validate from './validate.js';

export type { Binding } from './binding.js';
export type { Backend, CounterName, Family, Role, SocketType } from './constants.js';
export type { Circumstances } from './describe.js';
export type { Borrower, Parts, Traffic, Waiters, Watcher } from './endpoint.js';
export type { Deferred, Limits } from './operation.js';
export type {
  CompletionSink,
  DeadlineSink,
  LookupSink,
  PendingLookup,
  PollSink,
  Sink,
} from './reactor.js';

export const {
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
} = constants;

export const { Errno } = addon;

export const { gaiErrorName } = gai;
export const { count, countRetransmits, readCounters } = counters;

export const {
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
} = reactor;

/** Checks of arguments, for all packages alike. */
export const {
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
} = validate;

export const { describeError, formatEndpoint } = describe;
export const { closeDescriptorWhenForgotten, closeWhenForgotten, notForgotten } = forgotten;
export const { iterationEnd } = iterators;
export const { checkLimits, defer, noLimits, operationOptionKeys } = operation;
export const { checkWatcher } = endpoint;

// Classes, which are values and types.
export const { Countdown, Endpoint, Operation, OperationQueue, StepIterator } = {
  ...countdown,
  ...endpoint,
  ...iterators,
  ...operation,
};
export type Countdown = countdown.Countdown;
export type Endpoint = endpoint.Endpoint;
export type Operation = operation.Operation;
export type StepIterator<T> = iterators.StepIterator<T>;
export type OperationQueue<Op extends Operation> = operation.OperationQueue<Op>;
