/** What needs no socket, called with hostile values in every place. */
import { cidrMatch, parseIp } from '@sock/core';
import { chooseSeed } from '@sock/testing';
import fc from 'fast-check';
import { anything, expectAllowed, type Maker, oneOf } from './support/hostile.js';

type Arguments = readonly fc.Arbitrary<Maker>[];
type Call = (args: readonly never[]) => unknown;

const odd = anything();
const address = fc.oneof(odd, oneOf('::1', '10.0.0.1', '::ffff:10.0.0.1'));

const functions: Record<string, readonly [Arguments, Call]> = {
  parseIp: [[address], ([text]) => parseIp(text as never)],
  cidrMatch: [[address, address], ([ip, cidr]) => cidrMatch(ip as never, cidr as never)],
};

describe('hostile values', () => {
  it.each(Object.entries(functions))('harm nobody in %s', (name, [args, call]) => {
    fc.assert(
      fc.property(fc.tuple(...args), (makers) => {
        const values = makers.map((make) => make() as never);
        try {
          call(values);
        } catch (error) {
          expectAllowed(error, name);
        }
      }),
      { numRuns: 400, seed: chooseSeed() },
    );
  });
});
