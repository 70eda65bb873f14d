/**
 * The conformance suite: what everything that calls itself a StreamSocket must do, whatever carries
 * its bytes. Each check makes pairs of its own, can take only so long, and must leave no
 * descriptor.
 */
import { expectSockets, openSockets } from '../descriptors.js';
import { type Random, seeded } from '../random.js';
import { within } from '../within.js';
import { closing } from './closing.js';
import { ending } from './ending.js';
import { fairness } from './fairness.js';
import { limits } from './limits.js';
import { receiving } from './receiving.js';
import { sending } from './sending.js';
import { tempos } from './tempos.js';
import { type Checks, type MakePair, Trial } from './trial.js';
import { vectors } from './vectors.js';

/** What the suite checks, by subject and by name. */
export const streamChecks: Readonly<Record<string, Checks>> = {
  receiving,
  sending,
  tempos,
  vectors,
  limits,
  ending,
  closing,
  fairness,
};

/** Far more than a check takes, sanitizers and a busy machine included. */
const limitMs = 10_000;

/** Runs one check on pairs of its own; rejects when it fails, hangs, or leaves a socket open. */
export async function runCheck(
  check: Checks[string],
  makePair: MakePair,
  random: Random,
  checkLimitMs = limitMs,
): Promise<void> {
  const trial = new Trial(makePair, random);
  const before = openSockets();
  try {
    await within(checkLimitMs, check(trial), 'the check');
  } finally {
    trial.close();
  }
  await expectSockets(before);
}

/**
 * Describes a kind of stream, one test per check.
 *
 * @param makePair Two streams that are connected to each other, made anew at every call.
 * @param options.except Names of checks that cannot hold for this kind, each with the reason.
 */
export function describeStream(
  name: string,
  makePair: MakePair,
  options: { except?: Readonly<Record<string, string>> } = {},
): void {
  const except = new Map(Object.entries(options.except ?? {}));
  describe(`${name} as a stream`, () => {
    for (const [subject, checks] of Object.entries(streamChecks)) {
      describe(subject, () => {
        for (const [sentence, check] of Object.entries(checks)) {
          if (except.delete(sentence)) continue;
          const test = seeded((random) => runCheck(check, makePair, random));
          it(sentence, test);
        }
      });
    }
    if (except.size > 0) throw new Error(`there is no check "${[...except.keys()].join('", "')}"`);
  });
}
