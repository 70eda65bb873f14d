/** Never run: the compiler is the test. */
import type dns from 'node:dns';
import http from 'node:http';
import net from 'node:net';
import {
  type ConnectOptions,
  connect,
  type LookupFunction,
  type ResolvedAddress,
  type Socket,
} from '@sock/core';
import { connectHappyEyeballs, type RaceEvent, Resolver, raceTrace } from '@sock/dns';
import { Agent } from 'undici';

declare const resolver: Resolver;

export function lookups(): unknown[] {
  const { lookup } = resolver;
  const ours: LookupFunction = lookup;
  const nets: net.LookupFunction = lookup;
  lookup('x', (error: NodeJS.ErrnoException | null, address: string, family: number) => [
    error,
    address,
    family,
  ]);
  lookup('x', { all: true }, (_error, addresses: dns.LookupAddress[]) => addresses);
  return [
    ours,
    nets,
    net.connect({ host: 'x', port: 1, lookup }),
    http.request({ host: 'x', lookup }),
    new Agent({ connect: { lookup } }),
    connect({ host: 'x', port: 1, lookup }),
  ];
}

export async function races(): Promise<readonly RaceEvent[] | undefined> {
  const race: NonNullable<ConnectOptions['race']> = connectHappyEyeballs;
  const socket: Socket = await race('x', 1, { timeout: 1 });
  await connectHappyEyeballs('x', 1, { resolver, signal: undefined, timeout: undefined });
  return raceTrace(socket);
}

export async function addresses(): Promise<ResolvedAddress[]> {
  // @ts-expect-error: families are named, not numbered.
  await resolver.resolve('x', 1, { family: 4 });
  // @ts-expect-error: an engine that there is not.
  new Resolver({ engine: 'libc' });
  return resolver.resolve(null, 1, { family: 'ipv4', signal: undefined, timeout: 1 });
}
