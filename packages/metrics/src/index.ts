export { Duration, type DurationsSnapshot, durations, type Histogram } from './durations.js';
export type {
  AcceptedRecord,
  ClosedRecord,
  ConnectedRecord,
  ConnectFailedRecord,
  DnsTimeoutRecord,
  EventRecord,
  PollWakeupRecord,
} from './event-records.js';
export { type EventHandler, events } from './events.js';
export { type ConsoleLike, type LogCallback, LogLevel, log, type PinoLike } from './log.js';
export { Metric, type MetricsSnapshot, metrics } from './metrics.js';
export { type TcpSample, TcpSampler, type TcpSocket } from './tcp-sampler.js';
