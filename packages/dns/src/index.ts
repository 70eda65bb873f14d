export type { ServiceRecord } from './engine.js';
export type { NodeLookup } from './node-lookup.js';
export { type ResolveOptions, Resolver, type ResolverStats } from './resolver.js';
export type { CacheOptions, ResolverOptions } from './settings.js';
