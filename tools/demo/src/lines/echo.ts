import { questionSize } from '../child/conversation.js';
import type { Place } from '../child/peer.js';
import { Contender, type Library, libraries } from '../contender.js';
import type { Effort } from '../effort.js';
import type { Line, Outcome, Progress } from '../line.js';
import { number } from '../table.js';

interface Round {
  readonly perSecond: number;
  /** Of the server. */
  readonly cpuUsPerAnswer: number;
  readonly answers: number;
}

/** A server and a client of one library, in a process each. */
class Pair implements AsyncDisposable {
  readonly library: Library;
  readonly rounds: Round[] = [];
  readonly #effort: Effort;
  readonly #server: Contender;
  readonly #client: Contender;
  #place: Place;

  constructor(library: Library, place: Place, effort: Effort) {
    this.library = library;
    this.#effort = effort;
    this.#place = place;
    this.#server = new Contender(library);
    this.#client = new Contender(library);
  }

  async start(): Promise<void> {
    const { connections, warmUpMs } = this.#effort;
    this.#place = await this.#server.call('serveEcho', [this.#place]);
    await this.#client.call('askEcho', [this.#place, connections, warmUpMs]);
  }

  async round(): Promise<Round> {
    const { connections, roundMs } = this.#effort;
    const cpuBefore = await this.#server.call('cpuMs', []);
    const answers = await this.#client.call('askEcho', [this.#place, connections, roundMs]);
    const cpuMs = (await this.#server.call('cpuMs', [])) - cpuBefore;
    const round = {
      perSecond: (answers * 1000) / roundMs,
      cpuUsPerAnswer: (cpuMs * 1000) / answers,
      answers,
    };
    this.rounds.push(round);
    return round;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#server[Symbol.asyncDispose](), this.#client[Symbol.asyncDispose]()]);
  }

  median(figure: 'perSecond' | 'cpuUsPerAnswer'): number {
    const sorted = this.rounds.map((round) => round[figure]).sort((a, b) => a - b);
    return sorted[Math.trunc(sorted.length / 2)] ?? Number.NaN;
  }
}

/** Rounds of one library and of the other in turn, so that a noisy moment hits both. */
async function compare(
  ours: Pair,
  theirs: Pair,
  rounds: number,
  progress: Progress,
): Promise<Outcome> {
  for (const pair of [ours, theirs]) {
    progress.detail(`${libraries[pair.library]} warms up`);
    await pair.start();
  }
  for (let index = 0; index < rounds; index++) {
    for (const pair of [ours, theirs]) {
      const { perSecond } = await pair.round();
      const rate = `${number(perSecond)} messages/s`;
      progress.detail(`round ${index + 1} of ${rounds}, ${libraries[pair.library]} ${rate}`);
    }
  }
  const answers = [...ours.rounds, ...theirs.rounds].reduce((sum, round) => sum + round.answers, 0);
  const figure = (unit: string, name: 'perSecond' | 'cpuUsPerAnswer') => ({
    unit,
    ours: ours.median(name),
    theirs: theirs.median(name),
  });
  return {
    figures: [
      figure('messages/s', 'perSecond'),
      figure("server's CPU, µs/message", 'cpuUsPerAnswer'),
    ],
    verified: `${number(answers)} answers compared byte by byte`,
  };
}

/**
 * Messages there and back, on many connections at once.
 *
 * @param placeOf Where each library's server listens.
 */
export function echoLine(
  transport: string,
  effort: Effort,
  placeOf: (library: Library) => Place,
  obstacle: () => string | undefined = () => undefined,
): Line {
  return {
    title: `echo ${questionSize} B × ${effort.connections}, ${transport}`,
    obstacle,
    run: async (progress) => {
      await using ours = new Pair('sock', placeOf('sock'), effort);
      await using theirs = new Pair('net', placeOf('net'), effort);
      return await compare(ours, theirs, effort.rounds, progress);
    },
  };
}
