/** The words for what the kernel refuses, the same in every package. */
import { getSystemErrorMap } from 'node:util';

/** What a call was about. */
export interface Circumstances {
  syscall?: string | undefined;
  address?: string | undefined;
  port?: number | undefined;
  path?: string | undefined;
}

/** "connect ECONNREFUSED 127.0.0.1:80: connection refused" */
export function describeError(code: string, errno: number, about: Circumstances): string {
  const { syscall, address, port, path } = about;
  const where = path ?? (address === undefined ? undefined : formatEndpoint(address, port));
  const text = getSystemErrorMap().get(errno)?.[1];
  return [[syscall, code, where].filter(Boolean).join(' '), text].filter(Boolean).join(': ');
}

export function formatEndpoint(address: string, port: number | undefined): string {
  if (port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
