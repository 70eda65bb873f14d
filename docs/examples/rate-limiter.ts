import { monotonicMs, RateLimiter } from '@sock/core';

// 200 a second on average, and up to 5 at once.
using limiter = new RateLimiter(200, 5);

const start = monotonicMs();
for (let i = 0; i < 25; i++) await limiter.acquire();
console.log(`25 took 100 ms or longer: ${monotonicMs() - start >= 99.9}`);

console.log(`a sixth at once: ${limiter.waitTimeMs(6)} ms`);
while (limiter.tryAcquire());
const error = await limiter.acquire(5, { timeout: 1 }).catch((reason: Error) => reason);
console.log(`${error}`);
