/** Certificates and keys as callers give them: PEM text, its bytes, or the path of its file. */
import { readFileSync } from 'node:fs';
import { types } from 'node:util';
import { invalidType, invalidValue } from '@sock/native';

/** PEM text (`'-----BEGIN …'`), the bytes of it, or the path of a file that has it. */
export type PemSource = string | Uint8Array;

const pathMax = 4096;
const begin = '-----BEGIN ';

export function readPem(argument: string, source: unknown): string {
  if (types.isUint8Array(source)) return Buffer.from(source).toString('latin1');
  if (typeof source !== 'string') {
    throw invalidType(argument, 'PEM text, a Uint8Array with it, or a path', source);
  }
  if (source.includes(begin)) return source;
  return readFileSync(checkPath(argument, source), 'latin1');
}

/** Bytes, or the path of a file that has them. */
export function readBytes(argument: string, source: unknown): Uint8Array {
  if (types.isUint8Array(source)) return source;
  if (typeof source !== 'string') throw invalidType(argument, 'a Uint8Array, or a path', source);
  return readFileSync(checkPath(argument, source));
}

/** Of ASCII. */
function isControl(character: string): boolean {
  return character < ' ' || character === '\x7f';
}

/** A path may come from a configuration that others write: no way up, nothing invisible. */
function checkPath(argument: string, path: string): string {
  if (path.length === 0 || path.length > pathMax) {
    throw invalidValue(
      argument,
      `must be what is wanted itself, or a path of 1 to ${pathMax} bytes`,
      path,
    );
  }
  if ([...path].some(isControl)) {
    throw invalidValue(argument, 'must be a path without control characters', path);
  }
  if (path.split('/').includes('..')) {
    throw invalidValue(argument, 'must be a path without ".."', path);
  }
  return path;
}
