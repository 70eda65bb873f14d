/** A list of views that one system call reads from or fills, in order. */

import { types } from 'node:util';
import { invalidType, outOfRange, toBytes } from '@sock/native';

/** The kernel's own limit, IOV_MAX. */
const elementsMax = 1024;

/** Up to here a loop costs less than a call of `set`, which does much before it copies. */
const inlineMax = 48;

/** Several places of memory as one: what a caller's array named when the operation began. */
export class Vector {
  /** Of the views; the addon refuses those that have become shorter since. */
  readonly lengths: Float64Array;
  readonly total: number;
  /** The view that byte number `position` lies in, and how far into it. */
  first = 0;
  offset = 0;
  private position = 0;

  /** None of the views may be empty. */
  constructor(readonly views: readonly Uint8Array[]) {
    this.lengths = Float64Array.from(views, ({ length }) => length);
    this.total = lengthOf(views);
  }

  /** The bytes from where {@link seek} has led to the end. */
  get left(): number {
    return this.total - this.position;
  }

  /** False once memory of one of the views was taken away. */
  get isWhole(): boolean {
    return this.views.every((view, index) => view.length >= this.lengthAt(index));
  }

  /** Makes `first` and `offset` those of a byte; never of one before the last sought. */
  seek(position: number): void {
    this.offset += position - this.position;
    this.position = position;
    while (this.first < this.views.length && this.offset >= this.lengthAt(this.first)) {
      this.offset -= this.lengthAt(this.first++);
    }
  }

  /** Writes the bytes from where {@link seek} has led. False when a view is no longer all there. */
  put(bytes: Uint8Array): boolean {
    if (!this.isWhole) return false;
    const { views } = this;
    let { first, offset } = this;
    for (let at = 0; at < bytes.length; offset = 0) {
      const part = bytes.subarray(at, at + this.lengthAt(first) - offset);
      (views[first++] as Uint8Array).set(part, offset);
      at += part.length;
    }
    return true;
  }

  /** A copy of the first bytes, less those in views that are no longer all there. */
  front(length: number): Buffer {
    const parts: Uint8Array[] = [];
    let left = length;
    for (let index = 0; left > 0; index++) {
      const view = this.views[index] as Uint8Array;
      const part = Math.min(left, this.lengthAt(index));
      if (view.length >= part) parts.push(view.subarray(0, part));
      left -= part;
    }
    return Buffer.concat(parts);
  }

  private lengthAt(index: number): number {
    return this.lengths[index] as number;
  }
}

export function lengthOf(views: readonly Uint8Array[]): number {
  let length = 0;
  for (const view of views) length += view.length;
  return length;
}

/** The bytes in one place, a copy: for what is too little to be worth a list. */
export function flatten(views: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(length);
  copyTo(bytes, 0, views);
  return bytes;
}

/** Copies all of them behind each other; where the last one ends. */
export function copyTo(target: Uint8Array, start: number, views: readonly Uint8Array[]): number {
  let at = start;
  for (const view of views) {
    const { length } = view;
    if (length > inlineMax) target.set(view, at);
    else for (let index = 0; index < length; index++) target[at + index] = view[index] as number;
    at += length;
  }
  return at;
}

export function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    // A proxy that was revoked.
    return false;
  }
}

/** The array's elements, each looked at once, and the empty ones left out. */
function checkList(
  name: string,
  value: unknown,
  expected: string,
  check: (element: unknown, name: string, index: number) => Uint8Array,
): Uint8Array[] {
  if (!isList(value)) throw invalidType(name, `an array of ${expected}`, value);
  const { length } = value;
  if (length < 1 || length > elementsMax) {
    throw outOfRange(name, `an array of 1 to ${elementsMax} elements`, `${length} elements`);
  }
  const views: Uint8Array[] = [];
  for (let index = 0; index < length; index++) {
    const view = check(value[index], name, index);
    if (view.length > 0) views.push(view);
  }
  return views;
}

function checkData(element: unknown, name: string, index: number): Uint8Array {
  // Without the name, which is a string to be made, for what is fine at first sight.
  if (ArrayBuffer.isView(element) && element instanceof Uint8Array && element.length > 0) {
    return element;
  }
  return toBytes(element, `${name}[${index}]`);
}

function checkView(element: unknown, name: string, index: number): Uint8Array {
  if (!types.isUint8Array(element)) {
    throw invalidType(`${name}[${index}]`, 'an instance of Buffer or Uint8Array', element);
  }
  return toBytes(element, `${name}[${index}]`);
}

/** What a gathering send was given: an array of bytes and strings. */
export function toViews(data: unknown, name = 'data'): Uint8Array[] {
  return checkList(name, data, 'strings and instances of Buffer or Uint8Array', checkData);
}

/** What a scattering receive was given: memory, with room for at least one byte. */
export function checkViews(views: unknown): Vector {
  const vector = new Vector(checkList('views', views, 'Buffer or Uint8Array', checkView));
  if (vector.total > 0) return vector;
  throw outOfRange('views', 'an array with room for at least one byte', '0 bytes');
}
