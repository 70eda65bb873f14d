export { AddressMemory, type AddressMemoryOptions } from './address-memory.js';
export type {
  AttemptEvent,
  LookupCompleteEvent,
  LookupEndEvent,
  LookupErrorEvent,
  LookupEvent,
} from './diagnostics.js';
export type { ServiceRecord } from './engine.js';
export {
  connectHappyEyeballs,
  type RaceMessage,
  raceTrace,
} from './happy-eyeballs.js';
export type { NodeLookup } from './node-lookup.js';
export type { RaceEvent } from './race.js';
export type { HappyEyeballsConfig, RaceResolver } from './race-config.js';
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
