/** Never run: the compiler is the test. */
import type dns from 'node:dns';
import http from 'node:http';
import net from 'node:net';
import {
  type ConnectOptions,
  connect,
  type LookupFunction,
  type ResolvedAddress,
  type ResolverLike,
  type Socket,
} from '@sock/core';
import {
  connectHappyEyeballs,
  connectHappyEyeballsSync,
  HappyEyeballs,
  type RaceEvent,
  ResolveRequest,
  Resolver,
  raceTrace,
} from '@sock/dns';
import { PollEvents, SocketPoll } from '@sock/poll';
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

export function resolvers(like: ResolverLike): (ResolverLike | Promise<Socket>)[] {
  return [resolver, connectHappyEyeballs('x', 1, { resolver: like })];
}

export function byHand(): (Socket | null)[] {
  const poll = new SocketPoll<Socket, string>();
  const race = HappyEyeballs.start(resolver, poll, 'x', 1, { signal: undefined });
  // @ts-expect-error: the resolver is an argument of its own.
  HappyEyeballs.start(resolver, poll, 'x', 1, { resolver });
  // @ts-expect-error: nothing interrupts a call that blocks.
  connectHappyEyeballsSync('x', 1, { signal: new AbortController().signal });
  return [race.result(), connectHappyEyeballsSync('x', 1, { resolver, timeout: undefined })];
}

export function requests(): readonly ResolvedAddress[] | null {
  const poll = new SocketPoll();
  poll.add(resolver.pollFd, PollEvents.Read);
  resolver.submit(null, 1, (error, addresses) => [error?.message, addresses?.[0]?.family]);
  // @ts-expect-error: a request has no signal.
  resolver.submit('x', 1, undefined, { signal: undefined });
  // @ts-expect-error: requests come from a resolver.
  new ResolveRequest('x', 1);
  return resolver.submit('x').result;
}
