/** The signature of `dns.lookup`, for whatever takes a `lookup` option: net, http, tls, undici. */

import type { LookupAddress, LookupAllOptions, LookupOneOptions, LookupOptions } from 'node:dns';
import { ResolveError } from '@sock/core';
import { checkFunction, checkInteger, checkObject, checkOneOf, invalidType } from '@sock/native';
import { type Family, parseHost } from './hostname.js';

type AnyCallback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

/** As `dns.lookup`: {@link Resolver.lookup}. */
export interface NodeLookup {
  /** One address; `family` is 4, 6, or 0 for any. */
  (
    hostname: string,
    family: number,
    callback: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
  ): void;
  /** One address. */
  (
    hostname: string,
    options: LookupOneOptions,
    callback: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
  ): void;
  /** All addresses. */
  (
    hostname: string,
    options: LookupAllOptions,
    callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
  ): void;
  /** One or all, as the options say. */
  (
    hostname: string,
    options: LookupOptions,
    callback: (
      error: NodeJS.ErrnoException | null,
      address: string | LookupAddress[],
      family?: number,
    ) => void,
  ): void;
  /** One address of any family. */
  (
    hostname: string,
    callback: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
  ): void;
}

interface Wanted {
  readonly family: Family | undefined;
  readonly isAll: boolean;
  readonly flags: number;
  readonly order: 'verbatim' | 'ipv4first' | 'ipv6first';
}

const families: ReadonlyMap<unknown, Family | undefined> = new Map<unknown, Family | undefined>([
  [undefined, undefined],
  [0, undefined],
  [4, 'ipv4'],
  [6, 'ipv6'],
  ['IPv4', 'ipv4'],
  ['IPv6', 'ipv6'],
]);

const orders = ['verbatim', 'ipv4first', 'ipv6first'] as const;

/** `verbatim: false` is the older way to say `order: 'ipv4first'`. */
function orderOf(order: unknown, verbatim: unknown): Wanted['order'] {
  if (order !== undefined) return checkOneOf('options.order', order, orders);
  return verbatim === false ? 'ipv4first' : 'verbatim';
}

function checkWanted(given: unknown): Wanted {
  const options: Partial<LookupOptions> & { order?: unknown } =
    typeof given === 'number' ? { family: given } : checkObject<LookupOptions>('options', given);
  const { family, hints, all, verbatim, order } = options;
  checkOneOf('options.family', family, [...families.keys()]);
  return {
    family: families.get(family),
    isAll: all === true,
    flags: checkInteger('options.hints', hints ?? 0, 0, 0xffff),
    order: orderOf(order, verbatim),
  };
}

function inOrder(addresses: LookupAddress[], order: Wanted['order']): LookupAddress[] {
  if (order === 'verbatim') return addresses;
  const first = order === 'ipv4first' ? 4 : 6;
  const isFirst = ({ family }: LookupAddress) => family === first;
  return [...addresses.filter(isFirst), ...addresses.filter((address) => !isFirst(address))];
}

/** A name that is none is not found, as with `dns.lookup`: those who call it expect no throw. */
function notFound(hostname: string, reason: string): ResolveError {
  const message = `getaddrinfo ENOTFOUND ${hostname}: the name ${reason}`;
  return new ResolveError(message, {
    code: 'ENOTFOUND',
    gaiCode: 0,
    syscall: 'getaddrinfo',
    hostname,
  });
}

/** Looks up and gives the addresses, each as Node has them. */
export type FindAddresses = (
  hostname: string,
  family: Family | undefined,
  flags: number,
) => Promise<LookupAddress[]>;

export function makeLookup(find: FindAddresses): NodeLookup {
  return (hostname: string, given: unknown, last?: unknown): void => {
    const hasOptions = typeof given !== 'function';
    const callback = checkFunction('callback', hasOptions ? last : given) as AnyCallback;
    if (typeof hostname !== 'string') throw invalidType('hostname', 'a string', hostname);
    const wanted = checkWanted(hasOptions ? (given ?? {}) : {});
    const host = parseHost(hostname);
    // What a callback throws is the caller's uncaught exception, not a rejection of ours.
    const call = (...results: Parameters<AnyCallback>) => process.nextTick(callback, ...results);
    if ('reason' in host) {
      call(notFound(hostname, host.reason), wanted.isAll ? [] : '');
      return;
    }
    find(hostname, wanted.family, wanted.flags).then(
      (found) => {
        const addresses = inOrder(found, wanted.order);
        const [first] = addresses;
        if (wanted.isAll) call(null, addresses);
        else call(null, first?.address ?? '', first?.family);
      },
      (error: NodeJS.ErrnoException) => call(error, wanted.isAll ? [] : ''),
    );
  };
}
