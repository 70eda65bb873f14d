/**
 * Questions and answers on one connection. Every question carries its number and that of its
 * connection, so an answer that is late, or somebody else's, is a wrong one.
 */
export const questionSize = 64;

export class Conversation {
  answers = 0;
  readonly #question = Buffer.alloc(questionSize, 'echo ');
  #heard = 0;

  constructor(connection: number) {
    this.#question.writeUInt32LE(connection);
  }

  /** The next question. The memory is that of the last one, which has been answered. */
  ask(): Buffer {
    this.#question.writeUInt32LE(this.answers, 4);
    this.#heard = 0;
    return this.#question;
  }

  /** Compares a piece of the answer; true when it is complete. */
  hear(piece: Uint8Array): boolean {
    const expected = this.#question.subarray(this.#heard, this.#heard + piece.length);
    if (!expected.equals(piece)) {
      throw new Error(`answer ${this.answers} is wrong from byte ${this.#heard} on`);
    }
    this.#heard += piece.length;
    if (this.#heard < questionSize) return false;
    this.answers++;
    return true;
  }
}
