/** What the two halves of a socket know of it. */
import { DatagramMode, type Endpoint, type Family } from '@sock/native';
import { segmentsMax } from './batch.js';

const { Control, Offload, PassErrors } = DatagramMode;

/** The largest payload of UDP in one IPv4 packet, and in one IPv6 packet without jumbograms. */
const payloadMax = { ipv4: 65_507, ipv6: 65_527, unix: Number.POSITIVE_INFINITY } as const;
/** Room for any datagram: a Unix one may be as long as a socket's buffer, 208 KiB unless set. */
const room = { ipv4: 65_535, ipv6: 65_535, unix: 256 * 1024 } as const;

export class Traits {
  readonly endpoint: Endpoint;
  readonly family: Family;
  /** The most bytes of a datagram that is sent. */
  readonly sizeMax: number;
  /** Bytes that may wait for the kernel's buffer. */
  queueMax = 16 * 1024 * 1024;
  /** How the addon receives and sends: bits of DatagramMode. */
  receiveMode = 0;
  sendMode = 0;

  constructor(endpoint: Endpoint, family: Family, sizeMax: number | undefined, offload: boolean) {
    this.endpoint = endpoint;
    this.family = family;
    this.sizeMax = Math.min(sizeMax ?? Number.POSITIVE_INFINITY, payloadMax[family]);
    if (offload) this.sendMode = Offload;
  }

  /** Room for any datagram of the family. */
  get room(): number {
    return room[this.family];
  }

  /** Whether the kernel joins datagrams, which are taken apart again here. */
  joins = false;

  /** Places for the index of a single receive. */
  static readonly placesMax = segmentsMax;

  /** What comes beside the datagrams is to be looked at. */
  watchControl(): void {
    this.receiveMode |= Control;
  }

  /** Errors of earlier datagrams are told by the error queue alone. */
  passErrors(on: boolean): void {
    this.receiveMode = on ? this.receiveMode | PassErrors : this.receiveMode & ~PassErrors;
    this.sendMode = on ? this.sendMode | PassErrors : this.sendMode & ~PassErrors;
  }
}
