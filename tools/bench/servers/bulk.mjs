// What a question of eight bytes is answered with, by who serves bulk.
const CHUNK_SIZE = 2 ** 20;
const PAGE = 4096;
const QUESTION_SIZE = 8;

/** Sent again and again; every page of it begins with its number. */
export const bulkChunk = Buffer.alloc(CHUNK_SIZE);
for (let at = 0; at < CHUNK_SIZE; at += PAGE) bulkChunk.writeUInt32LE(at / PAGE, at);

/** How many chunks make `size` bytes. */
export const bulkChunks = (size) => size / CHUNK_SIZE;

/** Counts the bytes of questions; `push` says how many have been completed. */
export class Questions {
  #bytes = 0;

  push(chunk) {
    this.#bytes += chunk.length;
    const count = Math.floor(this.#bytes / QUESTION_SIZE);
    this.#bytes %= QUESTION_SIZE;
    return count;
  }
}
