/**
 * What a duplex is given to write, brought together as bytes.
 *
 * Text is most of what HTTP writes: a head and a short body, with every answer. They are encoded
 * side by side into one memory that all duplexes of the thread share, and leave from there by one
 * system call, which copies them. Only what the kernel does not take needs memory of its own.
 */

/** One write as Node's streams keep it. */
export interface Chunk {
  readonly chunk: Buffer | string;
  readonly encoding: BufferEncoding;
}

const scratchSize = 64 * 1024;
/** Good until the next call of this file's functions. */
export const scratch = Buffer.allocUnsafeSlow(scratchSize);

/** No encoding makes more bytes than this of a UTF-16 unit. */
const bytesPerUnitMax = 3;

function mostBytes(chunk: Buffer | string): number {
  return typeof chunk === 'string' ? chunk.length * bytesPerUnitMax : chunk.length;
}

/** Encodes into the scratch memory: the count of bytes, or −1 where they might not fit. */
export function encode(text: string, encoding: BufferEncoding): number {
  return mostBytes(text) > scratchSize ? -1 : scratch.write(text, 0, encoding);
}

/** Brings all into the scratch memory: the count of bytes, or −1 where they might not fit. */
export function gather(chunks: readonly Chunk[]): number {
  let end = 0;
  for (const { chunk, encoding } of chunks) {
    if (end + mostBytes(chunk) > scratchSize) return -1;
    if (typeof chunk === 'string') {
      end += scratch.write(chunk, end, encoding);
    } else {
      scratch.set(chunk, end);
      end += chunk.length;
    }
  }
  return end;
}

export function toBuffer({ chunk, encoding }: Chunk): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
}

export function byteLengthOf({ chunk, encoding }: Chunk): number {
  return typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : chunk.length;
}

/** Small chunks together, large ones by themselves, in order. */
export function join(chunks: readonly Chunk[]): Buffer[] {
  const parts: Buffer[] = [];
  let small: Buffer[] = [];
  let length = 0;
  const flush = (): void => {
    if (length > 0) parts.push(small.length === 1 ? (small[0] as Buffer) : Buffer.concat(small));
    small = [];
    length = 0;
  };
  for (const bytes of chunks.map(toBuffer)) {
    if (length + bytes.length > scratchSize) flush();
    small.push(bytes);
    length += bytes.length;
  }
  flush();
  return parts;
}
