export { AddressMemory, type AddressMemoryOptions } from './address-memory.js';
export type { ServiceRecord } from './engine.js';
export {
  connectHappyEyeballs,
  type RaceMessage,
  raceTrace,
} from './happy-eyeballs.js';
export type { NodeLookup } from './node-lookup.js';
export type { RaceEvent } from './race.js';
export type { HappyEyeballsConfig, RaceResolver } from './race-config.js';
export { type ResolveOptions, Resolver, type ResolverStats } from './resolver.js';
export type { CacheOptions, ResolverOptions } from './settings.js';
