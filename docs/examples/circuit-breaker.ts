import { ReconnectError } from '@sock/core';
import { Backoff, CircuitBreaker } from '@sock/reconnect';

const backoff = new Backoff({ initialDelay: 10, maxDelay: 1_000 });
const breaker = new CircuitBreaker({ failureThreshold: 3, resetTimeout: 30_000 });

async function ask(): Promise<string> {
  throw new Error('the server is down');
}

for (;;) {
  try {
    console.log(await breaker.execute(ask));
    break;
  } catch (error) {
    if (error instanceof ReconnectError && error.code === 'ERR_SOCK_CIRCUIT_OPEN') {
      console.log(`not asked: it has failed ${breaker.failures} times in a row`);
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, backoff.next()));
  }
}
