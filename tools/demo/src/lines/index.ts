/** What the demo shows, in this order. */
import { join } from 'node:path';
import { listen } from '@sock/core';
import type { Effort } from '../effort.js';
import type { Line } from '../line.js';
import { comebackLine } from './comeback.js';
import { datagramsLine } from './datagrams.js';
import { echo, exchangeLine, pages } from './exchange.js';
import { guestsLine } from './guests.js';
import { limitedLine } from './limited.js';
import { passedLine } from './passed.js';
import { polledLine } from './polled.js';
import { raceLine } from './race.js';
import { relayLine } from './relay.js';
import { securedLine } from './secured.js';
import { sendFileLine } from './send-file.js';
import { slowReaderLine } from './slow-reader.js';

function withoutIpv6(): string | undefined {
  try {
    listen({ host: '::1' }).close();
    return undefined;
  } catch (error) {
    return `no IPv6 on this machine (${(error as Error).message})`;
  }
}

function withoutAbstractNames(): string | undefined {
  return process.platform === 'linux' ? undefined : 'abstract names are a feature of Linux';
}

/** @param folder For socket files, and for files that are sent. */
export function linesIn(folder: string, effort: Effort): readonly Line[] {
  return [
    exchangeLine(echo, 'TCP over IPv4', effort, () => ({ host: '127.0.0.1', port: 0 })),
    exchangeLine(echo, 'TCP over IPv6', effort, () => ({ host: '::1', port: 0 }), withoutIpv6),
    exchangeLine(echo, 'Unix path', effort, (library) => ({ path: join(folder, library) })),
    exchangeLine(
      echo,
      'abstract name',
      effort,
      (library) => ({ path: `@sock-demo-${process.pid}-${library}` }),
      withoutAbstractNames,
    ),
    exchangeLine(pages, 'TCP over IPv4', effort, () => ({ host: '127.0.0.1', port: 0 })),
    slowReaderLine(effort),
    sendFileLine(folder, effort),
    relayLine(folder, effort),
    securedLine(folder, effort),
    limitedLine(effort),
    passedLine(folder, effort),
    datagramsLine(effort),
    polledLine(folder, effort),
    raceLine(),
    comebackLine(),
    guestsLine(),
  ];
}
