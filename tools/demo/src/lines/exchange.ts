import { questionSize } from '../child/conversation.js';
import type { Place } from '../child/peer.js';
import { Contender, type Library, libraries } from '../contender.js';
import type { Effort } from '../effort.js';
import type { Line, Outcome, Progress } from '../line.js';
import { median } from '../median.js';
import { number } from '../table.js';

/** What is asked and answered. */
export interface Exchange {
  readonly title: string;
  readonly serve: 'serveEcho' | 'servePages';
  readonly ask: 'askEcho' | 'askPages';
  /** One of them, as the table names it. */
  readonly unit: string;
}

export const echo: Exchange = {
  title: `echo ${questionSize} B`,
  serve: 'serveEcho',
  ask: 'askEcho',
  unit: 'message',
};

export const pages: Exchange = {
  title: 'GET by node:http',
  serve: 'servePages',
  ask: 'askPages',
  unit: 'request',
};

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
  readonly exchange: Exchange;
  readonly #effort: Effort;
  readonly #server: Contender;
  readonly #client: Contender;
  #place: Place;

  constructor(library: Library, exchange: Exchange, place: Place, effort: Effort) {
    this.exchange = exchange;
    this.library = library;
    this.#effort = effort;
    this.#place = place;
    this.#server = new Contender(library);
    this.#client = new Contender(library);
  }

  async start(): Promise<void> {
    const { connections, warmUpMs } = this.#effort;
    this.#place = await this.#server.call(this.exchange.serve, [this.#place]);
    await this.#client.call(this.exchange.ask, [this.#place, connections, warmUpMs]);
  }

  async round(): Promise<Round> {
    const { connections, roundMs } = this.#effort;
    const cpuBefore = await this.#server.call('cpuMs', []);
    const answers = await this.#client.call(this.exchange.ask, [this.#place, connections, roundMs]);
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
    return median(this.rounds.map((round) => round[figure]));
  }
}

/** Rounds of one library and of the other in turn, so that a noisy moment hits both. */
async function compare(
  ours: Pair,
  theirs: Pair,
  rounds: number,
  progress: Progress,
): Promise<Outcome> {
  const { unit } = ours.exchange;
  for (const pair of [ours, theirs]) {
    progress.detail(`${libraries[pair.library]} warms up`);
    await pair.start();
  }
  for (let index = 0; index < rounds; index++) {
    for (const pair of [ours, theirs]) {
      const { perSecond } = await pair.round();
      const rate = `${number(perSecond)} ${unit}s/s`;
      progress.detail(`round ${index + 1} of ${rounds}, ${libraries[pair.library]} ${rate}`);
    }
  }
  const answers = [...ours.rounds, ...theirs.rounds].reduce((sum, round) => sum + round.answers, 0);
  const figure = (of: string, name: 'perSecond' | 'cpuUsPerAnswer') => ({
    unit: of,
    ours: ours.median(name),
    theirs: theirs.median(name),
  });
  return {
    figures: [
      figure(`${unit}s/s`, 'perSecond'),
      figure(`server's CPU, µs/${unit}`, 'cpuUsPerAnswer'),
    ],
    verified: `${number(answers)} answers compared byte by byte`,
  };
}

/**
 * Questions and answers, on many connections at once.
 *
 * @param placeOf Where each library's server listens.
 */
export function exchangeLine(
  exchange: Exchange,
  transport: string,
  effort: Effort,
  placeOf: (library: Library) => Place,
  obstacle: () => string | undefined = () => undefined,
): Line {
  return {
    title: `${exchange.title} × ${effort.connections}, ${transport}`,
    obstacle,
    run: async (progress) => {
      await using ours = new Pair('sock', exchange, placeOf('sock'), effort);
      await using theirs = new Pair('net', exchange, placeOf('net'), effort);
      return await compare(ours, theirs, effort.rounds, progress);
    },
  };
}
