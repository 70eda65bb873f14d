export type { AddressStats, PoolAddress } from './address-book.js';
export type { PrefixLimit, PrefixLimits } from './admission.js';
export type { ClientPoolOptions, PoolConnectFunction } from './client-options.js';
export { ClientPool, type ClientPoolStats } from './client-pool.js';
export { Connection } from './connection.js';
export type {
  PoolEvent,
  PoolRejectEvent,
  PoolRemoveEvent,
  RejectReason,
  RemoveReason,
} from './diagnostics.js';
export type { ConnectionSource } from './intake.js';
export { IpTracker, type IpTrackerOptions } from './ip-tracker.js';
export type { LimiterOptions } from './limiter-options.js';
export type { LimiterAnswer, LimiterCallOptions, LimiterStore } from './limiter-store.js';
export type { SocketPoolOptions } from './pool-options.js';
export type { SocketPoolStats } from './pool-stats.js';
export type { PooledSocket } from './pooled-socket.js';
export {
  type ConnectionRate,
  type PoolConnectOptions,
  type PreparedConnection,
  SocketPool,
} from './socket-pool.js';
export type { LimiterStats } from './store-limits.js';
