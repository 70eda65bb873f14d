/**
 * Certificates that are replaced on the disk while connections come and go.
 *
 * Theory of operation. The files are looked at by their status, not by events: a mounted secret is
 * a link that is switched, and over a network no event comes. What differs from what was read goes
 * into the context by its setters, each of which takes all of it or nothing. What is refused, such
 * as a certificate whose key is still to be written, leaves what is there, and is tried at every
 * look until it is taken.
 */
import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import {
  checkArray,
  checkObject,
  checkOptions,
  checkTime,
  invalidType,
  LineLevel,
} from '@sock/native';
import type { TlsContext } from './context.js';
import { tellLine } from './diagnostics.js';

const intervalDefaultMs = 5_000;
const intervalMinMs = 10;

/** A certificate and its key, by the paths of their PEM files. */
export interface TlsCertificateFiles {
  /** The certificate with its chain. */
  cert: string;
  /** Its private key. */
  key: string;
  /** What the key is encrypted with; default: it is not. */
  passphrase?: string | undefined;
}

/** Which files {@link watchTlsFiles} looks at, by their paths; at least one of these. */
export interface TlsFiles {
  /** The certificate for every name: as for `loadCertificate`. */
  certificate?: TlsCertificateFiles | undefined;
  /** Certificates for single names: as for `addCertificate`. */
  named?: Readonly<Record<string, TlsCertificateFiles>> | undefined;
  /** Authorities: as for `loadCa`. */
  ca?: string | readonly string[] | undefined;
  /** Lists of what was revoked: as for `refreshCrl`, so whole chains are looked up. */
  crl?: string | readonly string[] | undefined;
}

/** Options of {@link watchTlsFiles}. */
export interface WatchTlsFilesOptions {
  /** Milliseconds between two looks, from 10; `Infinity`: only `check()` looks. Default 5,000. */
  interval?: number | undefined;
}

/** Files that go into a setter together. */
interface Group {
  /** For the log. */
  readonly what: string;
  readonly paths: readonly string[];
  readonly read: () => void;
  /** How the files were when they were read last. */
  taken: string;
  /** How they were when they were refused, empty where one was missing; null: they were taken. */
  refused: string | null;
}

/** A watch over files, which {@link watchTlsFiles} has begun. */
export class TlsFileWatch {
  private readonly groups: readonly Group[];
  private timer: NodeJS.Timeout | null = null;
  private looking: Promise<number> | null = null;
  private failure: unknown;
  private isClosed = false;

  /** @internal */
  constructor(groups: readonly Group[], intervalMs: number) {
    this.groups = groups;
    for (const group of groups) {
      group.taken = stateOf(group.paths.map((path) => statSync(path, { bigint: true })));
      group.read();
    }
    if (intervalMs === Number.POSITIVE_INFINITY) return;
    this.timer = setInterval(() => void this.check(), intervalMs).unref();
  }

  /**
   * Looks at the files now, besides the regular looks: upon a signal, say.
   *
   * @returns How many groups of files were taken anew: the certificate for every name, each one for
   * a single name, the authorities, the lists. What is refused is not an error here: it is told on
   * `sock:tls:log`, and is {@link lastError}. A second call while one looks gets that one's result.
   */
  check(): Promise<number> {
    this.looking ??= this.look().finally(() => {
      this.looking = null;
    });
    return this.looking;
  }

  /** Why the last look did not take something; undefined when it took everything. */
  get lastError(): unknown {
    return this.failure;
  }

  /** Takes nothing more; what was taken stays. Again: does nothing. */
  close(): void {
    this.isClosed = true;
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  private async look(): Promise<number> {
    let count = 0;
    let failure: unknown;
    for (const group of this.groups) {
      try {
        if (await this.renew(group)) count++;
      } catch (error) {
        failure = error;
      }
    }
    this.failure = failure;
    return count;
  }

  /** Whether the files have changed, and were taken. */
  private async renew(group: Group): Promise<boolean> {
    let state = '';
    try {
      const { paths } = group;
      state = stateOf(await Promise.all(paths.map((path) => stat(path, { bigint: true }))));
      if (this.isClosed || state === group.taken) return false;
      group.read();
    } catch (error) {
      if (state !== group.refused) {
        tellLine(LineLevel.Warn, () => `${group.what} could not be read anew`, error);
      }
      group.refused = state;
      throw error;
    }
    group.taken = state;
    group.refused = null;
    tellLine(LineLevel.Info, () => `${group.what}: read anew`);
    return true;
  }
}

/**
 * Reads files into a context, and again whenever they change, so that certificates are replaced
 * without a restart. Connections that begin afterwards have the new ones; those that are there keep
 * what they have.
 *
 * @param context The context; closing it does not end the watch.
 * @param files Paths. They are read at once, and must be good then.
 * @param options `interval`. The watch does not keep the process running.
 * @throws What the setters of the context throw, for what is in the files at first; the error of
 * the file system for one that is missing; TypeError, RangeError for a wrong argument.
 * @example
 * ```ts
 * const context = TlsContext.server();
 * const watch = watchTlsFiles(context, { certificate: { cert: 'tls.crt', key: 'tls.key' } });
 * process.on('SIGHUP', () => void watch.check());
 * ```
 */
export function watchTlsFiles(
  context: TlsContext,
  files: TlsFiles,
  options?: WatchTlsFilesOptions,
): TlsFileWatch {
  const { interval = intervalDefaultMs } = checkOptions<WatchTlsFilesOptions>(options, [
    'interval',
  ]);
  const intervalMs = checkTime('options.interval', interval, intervalMinMs);
  return new TlsFileWatch(groupsOf(context, files), intervalMs);
}

function groupsOf(context: TlsContext, files: TlsFiles): Group[] {
  const known = ['certificate', 'named', 'ca', 'crl'] as const;
  const { certificate, named = {}, ca, crl } = checkOptions<TlsFiles>(files, known, 'files');
  const groups: Group[] = [];
  const add = (what: string, paths: readonly string[], read: () => void): void => {
    groups.push({ what, paths, read, taken: '', refused: null });
  };
  if (certificate !== undefined) {
    const { cert, key, passphrase } = checkPair('files.certificate', certificate);
    add('the certificate', [cert, key], () => context.loadCertificate(cert, key, passphrase));
  }
  for (const [hostname, pair] of Object.entries(checkObject<TlsFiles>('files.named', named))) {
    const checked = checkPair(`files.named.${hostname}`, pair);
    const paths = [checked.cert, checked.key];
    add(`the certificate of ${hostname}`, paths, () => context.addCertificate(hostname, checked));
  }
  if (ca !== undefined) {
    const paths = checkPaths('files.ca', ca);
    add('authorities', paths, () => context.loadCa(paths));
  }
  if (crl !== undefined) {
    const paths = checkPaths('files.crl', crl);
    add('revocation lists', paths, () => context.refreshCrl(paths));
  }
  if (groups.length === 0) throw invalidType('files', 'an object with paths of files', files);
  return groups;
}

function checkPair(argument: string, value: unknown): TlsCertificateFiles {
  const known = ['cert', 'key', 'passphrase'] as const;
  const { cert, key, passphrase } = checkOptions<TlsCertificateFiles>(value, known, argument);
  return {
    cert: checkFile(`${argument}.cert`, cert),
    key: checkFile(`${argument}.key`, key),
    passphrase,
  };
}

function checkPaths(argument: string, value: unknown): string[] {
  if (typeof value === 'string') return [checkFile(argument, value)];
  const paths = checkArray(argument, value, 'a path, or an array of paths');
  return paths.map((path, index) => checkFile(`${argument}[${index}]`, path));
}

/** Text would be taken by the setters, too, and has no file to look at. */
function checkFile(argument: string, value: unknown): string {
  if (typeof value === 'string' && !value.includes('-----BEGIN ')) return value;
  throw invalidType(argument, 'the path of a file', value);
}

/** It is asked for before the files are read: what changes in between is seen at the next look. */
function stateOf(
  files: readonly { ino: bigint; size: bigint; mtimeNs: bigint; ctimeNs: bigint }[],
) {
  return files.map(({ ino, size, mtimeNs, ctimeNs }) => [ino, size, mtimeNs, ctimeNs]).join(';');
}
