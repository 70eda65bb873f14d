/**
 * Lines of text about what goes wrong, or on: one sink per thread, silent unless asked. They come
 * from the channels `sock:<package>:log`, which are subscribed to only where somebody reads them.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { debuglog, format } from 'node:util';
import { checkFunction, checkOneOf, invalidType, type LogEvent } from '@sock/native';

/** How grave a line is; the graver the higher. */
export const LogLevel = Object.freeze({
  /** Each step. */
  Trace: 0,
  /** What helps to find a fault. */
  Debug: 1,
  /** What is as it should be. */
  Info: 2,
  /** What may become a fault. */
  Warn: 3,
  /** What has failed. */
  Error: 4,
  /** What ends the program. */
  Fatal: 5,
} as const);
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];

/** What is called with each line; it is called at once, in the middle of what is told of. */
export type LogCallback = (level: LogLevel, component: string | null, message: string) => void;

/** What `console` has. */
export interface ConsoleLike {
  /** Each step. */
  trace(message: string): void;
  /** What helps to find a fault. */
  debug(message: string): void;
  /** What is as it should be. */
  info(message: string): void;
  /** What may become a fault. */
  warn(message: string): void;
  /** What has failed. */
  error(message: string): void;
}

/** What a logger of `pino` has: a record of fields comes first. */
export interface PinoLike {
  /** Each step. */
  trace(fields: object, message: string): void;
  /** What helps to find a fault. */
  debug(fields: object, message: string): void;
  /** What is as it should be. */
  info(fields: object, message: string): void;
  /** What may become a fault. */
  warn(fields: object, message: string): void;
  /** What has failed. */
  error(fields: object, message: string): void;
  /** What ends the program. */
  fatal(fields: object, message: string): void;
  /** What tells it from `console`; it is not called. */
  child(bindings: object): unknown;
}

const levels: readonly LogLevel[] = Object.values(LogLevel);
const names = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const;
const methods = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

function levelName(level: number): string {
  return names[level] ?? 'UNKNOWN';
}

// Writes to stderr where NODE_DEBUG names `sock`, else nothing.
const debug = debuglog('sock');
const defaultCallback: LogCallback = (level, component, message) => {
  debug('[%s] %s: %s', levelName(level), component ?? '(unknown)', message);
};

let callback = defaultCallback;
let threshold: LogLevel = LogLevel.Trace;
let isEmitting = false;
let hasWarned = false;

function withComponent(component: string | null, message: string): string {
  return component === null ? message : `${component}: ${message}`;
}

function ofPino(logger: PinoLike): LogCallback {
  return (level, component, message) => {
    logger[methods[level]](component === null ? {} : { component }, message);
  };
}

function ofConsole(logger: ConsoleLike): LogCallback {
  return (level, component, message) => {
    const method = methods[level];
    logger[method === 'fatal' ? 'error' : method](withComponent(component, message));
  };
}

function toCallback(sink: LogCallback | ConsoleLike | PinoLike): LogCallback {
  if (typeof sink === 'function') return sink;
  if (typeof sink !== 'object') {
    throw invalidType('callback', 'a function, a logger or null', sink);
  }
  const isPino = 'child' in sink;
  for (const method of methods) {
    if (method === 'fatal' && !isPino) continue;
    checkFunction(`callback.${method}`, (sink as PinoLike)[method]);
  }
  return isPino ? ofPino(sink) : ofConsole(sink);
}

const packages = ['core', 'poll', 'dgram', 'dns', 'tls', 'reconnect', 'pool'] as const;
const listeners = packages.map((name) => {
  const listener = (event: unknown): void => {
    const { level, message, error } = event as LogEvent;
    // One line: a stack says nothing here that the packages do not know.
    const line = error === undefined ? message : `${message}: ${String(error)}`;
    emitLine(level as LogLevel, name, line);
  };
  return [`sock:${name}:log`, listener] as const;
});

let isListening = false;

function listen(on: boolean): void {
  if (on === isListening) return;
  isListening = on;
  for (const [name, listener] of listeners) {
    if (on) subscribe(name, listener);
    else unsubscribe(name, listener);
  }
}

function emitLine(level: LogLevel, component: string | null, message: string): void {
  if (level < threshold || isEmitting) return;
  isEmitting = true;
  try {
    callback(level, component, message);
  } catch (error) {
    warnOnce(error);
  } finally {
    isEmitting = false;
  }
}

if (debug.enabled) listen(true);

/** The log of this thread. */
export const log = Object.freeze({
  /**
   * Sends the lines of this thread to a function, to `console`, or to a logger of `pino`; `null`
   * goes back to the default, which writes to stderr where `NODE_DEBUG` names `sock` and is silent
   * elsewhere. `console` gets `fatal` as `error`. Besides what is emitted here, it gets what the
   * packages tell on their channels `sock:<package>:log`: failed attempts and lookups, handshakes
   * and connections that were turned away.
   *
   * What a sink throws is caught, since a log must not break what it tells of; the first time a
   * warning with code `ERR_SOCK_LOG_SINK` says so.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`: neither a function nor a logger with all its methods.
   */
  setCallback(sink: LogCallback | ConsoleLike | PinoLike | null): void {
    callback = sink === null ? defaultCallback : toCallback(sink);
    hasWarned = false;
    listen(sink !== null || debug.enabled);
  },

  /** Where lines go now: what was set (a logger, as the function that calls it), or the default. */
  getCallback(): LogCallback {
    return callback;
  },

  /**
   * Drops what is less grave than `level`; at first nothing is dropped.
   *
   * @throws TypeError `ERR_INVALID_ARG_VALUE`: not a level.
   */
  setLevel(level: LogLevel): void {
    threshold = checkOneOf('level', level, levels);
  },

  /** The least grave level that is not dropped. */
  getLevel(): LogLevel {
    return threshold;
  },

  /**
   * Hands one line to the sink, before it returns. `args` go into the message as in `util.format`.
   * A line that a sink emits while it is called is dropped, or it would never end.
   *
   * @param component who says it, `null` for nobody.
   * @throws TypeError `ERR_INVALID_ARG_VALUE`: not a level.
   */
  emit(level: LogLevel, component: string | null, message: string, ...args: unknown[]): void {
    checkOneOf('level', level, levels);
    if (level < threshold || isEmitting) return;
    emitLine(level, component, args.length === 0 ? message : format(message, ...args));
  },

  /** `'TRACE'` … `'FATAL'`; `'UNKNOWN'` for what is no level. */
  levelName,
});

function warnOnce(error: unknown): void {
  if (hasWarned) return;
  hasWarned = true;
  process.emitWarning(format('the callback of the log has thrown: %s', error), {
    code: 'ERR_SOCK_LOG_SINK',
  });
}
