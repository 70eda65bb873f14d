/** Sockets of the addon: how they come to be, their names and options, the net under them. */
import {
  binding,
  Control,
  checkInteger,
  checkOneOf,
  checkOptions,
  type Endpoint,
  Errno,
  type Family,
  families,
  invalidType,
  invalidValue,
  type Role,
  roles,
  type SocketType,
  syscallNames,
  types,
} from '@sock/native';
import { SocketError, type SocketErrorDetails, systemError } from './errors.js';

/** Options of a new socket. */
export interface SocketOptions {
  /** Of the addresses it will have: `'ipv4'`, `'ipv6'` or `'unix'`. There is no default. */
  family: Family;
  /** Default `'stream'`; `'seqpacket'` is for Unix sockets only. */
  type?: SocketType | undefined;
}

/** Names a socket that exists already, in place of the options that would make one. */
export class Existing {
  constructor(
    readonly slot: number,
    readonly generation: number,
    readonly family: Family,
    readonly type: SocketType,
    readonly role: Role = 'connected',
  ) {}
}

/** The socket behind a descriptor, which is ours from now on; unless it throws. */
export function takeOver(fd: number): Existing {
  checkInteger('fd', fd, 0, 2 ** 31 - 1);
  const slot = binding.fromFd(fd, false);
  if (slot < 0) throw refusalOf(fd, slot);
  const { control } = binding;
  const shape = control[Control.Extra3] as number;
  return new Existing(
    slot,
    control[Control.Extra] as number,
    families[control[Control.Extra2] as number] as Family,
    types[shape & 0xff] as SocketType,
    roles[shape >> 8],
  );
}

function refusalOf(fd: number, errno: number): SocketError {
  switch (errno) {
    case -Errno.EEXIST:
      return new SocketError(`descriptor ${fd} is another Socket's already`, {
        code: 'ERR_SOCK_BUSY',
      });
    case -Errno.EPROTOTYPE:
      return new SocketError(`descriptor ${fd} carries datagrams, not a stream`, {
        code: 'EPROTOTYPE',
        errno,
      });
    case -Errno.EAFNOSUPPORT:
      return new SocketError(`descriptor ${fd} is neither an inet nor a Unix socket`, {
        code: 'EAFNOSUPPORT',
        errno,
      });
    default:
      return lastCallError(errno, {});
  }
}

export function create(options: SocketOptions): Existing {
  if (options === undefined) throw invalidType('options', 'an object', options);
  const checked = checkOptions<SocketOptions>(options, ['family', 'type']);
  const family = checkOneOf('options.family', checked.family, families);
  const type = checkOneOf('options.type', checked.type ?? 'stream', types);
  if (type === 'seqpacket' && family !== 'unix') {
    throw invalidValue('options.type', "can be 'seqpacket' only for family 'unix'", type);
  }
  const slot = binding.open(families.indexOf(family), types.indexOf(type));
  if (slot < 0) throw systemError(slot, { syscall: 'socket' });
  return new Existing(slot, binding.control[Control.Extra] as number, family, type);
}

/** What the addon has made, or a socket made from options, which may be anything at all. */
export function existingOr(options: SocketOptions): Existing {
  try {
    if (options instanceof Existing) return options;
  } catch {
    // A proxy that was revoked; create() finds the words for it.
  }
  return create(options);
}

/** For calls that make several system calls: the addon says which one failed. */
export function lastCallError(errno: number, details: SocketErrorDetails): SocketError {
  const syscall = syscallNames[binding.control[Control.Syscall] as number];
  return systemError(errno, { syscall, ...details });
}

export interface SocketName {
  host: string;
  port: number;
}

/** Undefined while there is none: an inet socket without a port has only the wildcard address. */
export function nameOf(
  { slot, generation }: Endpoint,
  family: Family,
  peer: boolean,
): SocketName | undefined {
  const host = binding.address(slot, generation, peer);
  if (typeof host === 'number' || host === '') return undefined;
  const port = binding.control[Control.Extra] as number;
  return family !== 'unix' && port === 0 ? undefined : { host, port };
}

/** A name as errors show it. */
export function detailsOf({ host, port }: SocketName, family: Family): SocketErrorDetails {
  return family === 'unix' ? { path: host } : { address: host, port };
}

export function setOption({ slot, generation }: Endpoint, option: number, value: number): void {
  const result = binding.setOption(slot, generation, option, value);
  if (result < 0) throw lastCallError(result, {});
}

export function getOption({ slot, generation }: Endpoint, option: number): number {
  const value = binding.getOption(slot, generation, option);
  if (value < 0) throw lastCallError(value, {});
  return value;
}

export function setCongestion({ slot, generation }: Endpoint, name: string): void {
  const result = binding.setCongestion(slot, generation, name);
  if (result < 0) throw lastCallError(result, {});
}

export function congestionOf({ slot, generation }: Endpoint): string {
  const name = binding.congestion(slot, generation);
  if (typeof name === 'number') throw lastCallError(name, {});
  return name;
}

export function setCloseOnExec({ slot, generation }: Endpoint, on: boolean): void {
  const result = binding.setCloseOnExec(slot, generation, on);
  if (result < 0) throw lastCallError(result, {});
}
