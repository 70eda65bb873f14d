import { ResolveError, TimeoutError } from '@sock/core';
import { Resolver } from '@sock/dns';

const resolver = new Resolver({ timeout: 2_000 });
try {
  for (const { address, port } of await resolver.resolve('localhost', 80)) {
    console.log(`${address}, port ${port}`);
  }
} catch (error) {
  if (error instanceof TimeoutError) console.log(`no answer for ${error.timeout} ms`);
  else if (error instanceof ResolveError) console.log(`${error.hostname}: ${error.code}`);
  else throw error;
} finally {
  resolver.close();
}
