import type { OperationOptions } from './operation.js';
import type { ResolvedAddress } from './target.js';

/** What looks names up for others, as `Resolver` of `@sock/dns` does. */
export interface ResolverLike {
  /**
   * The addresses of a host, at least one, the best first.
   *
   * @param host A name or a literal address.
   * @param port 0 to 65,535, passed on into the addresses.
   * @param options `timeout` and `signal` as everywhere, `family` for one family only.
   */
  resolve(
    host: string,
    port: number,
    options?: OperationOptions & { family?: 'ipv4' | 'ipv6' | undefined },
  ): Promise<ResolvedAddress[]>;
}
