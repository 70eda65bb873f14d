import { Resolver } from '@sock/dns';

const resolver = new Resolver({
  cache: { max: 500, ttl: 30_000, negativeTtl: 5_000, staleIfError: 600_000 },
});

// The first asks, the second joins it, and the third finds the answer in the cache.
await Promise.all([resolver.resolve('localhost', 80), resolver.resolve('localhost', 443)]);
await resolver.resolve('localhost', 8080);

const { coalesced, cache } = resolver.stats;
console.log(`${coalesced} joined, ${cache.hits} from the cache`);
resolver.close();
