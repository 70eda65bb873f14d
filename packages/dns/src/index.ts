export { AddressMemory, type AddressMemoryOptions } from './address-memory.js';
export {
  connectHappyEyeballs,
  connectHappyEyeballsSync,
  type HappyEyeballsSyncConfig,
} from './connect-happy-eyeballs.js';
export type {
  AttemptEvent,
  LookupCompleteEvent,
  LookupEndEvent,
  LookupErrorEvent,
  LookupEvent,
} from './diagnostics.js';
export type { ServiceRecord } from './engine.js';
export {
  HappyEyeballs,
  type HappyEyeballsStartConfig,
  type HappyEyeballsState,
} from './happy-eyeballs.js';
export type { NodeLookup } from './node-lookup.js';
export type { RaceEvent } from './race.js';
export type { HappyEyeballsConfig, HappyEyeballsDefaults, RaceResolver } from './race-config.js';
export {
  type ResolveCallback,
  ResolveRequest,
  type ResolveState,
} from './resolve-request.js';
export {
  type ResolveOptions,
  Resolver,
  type ResolverStats,
  type SubmitOptions,
} from './resolver.js';
export type { CacheOptions, ResolverOptions } from './settings.js';
export { type RaceMessage, raceTrace } from './socket-race.js';
