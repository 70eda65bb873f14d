import { sortAddresses } from './rfc6724.js';

/** Sources by destination; those not named have none. */
function sorted(sources: Readonly<Record<string, string>>, order = Object.keys(sources)): string[] {
  return sortAddresses(order, (address) => sources[address] ?? '');
}

describe('destinations are sorted as in RFC 6724', () => {
  // Its examples, section 10.2, as far as they need no knowledge of deprecated or home addresses.
  it.each([
    [
      'prefer matching scope',
      { '2001:db8:1::1': '2001:db8::2', '198.51.100.121': '169.254.13.78' },
    ],
    ['prefer matching scope', { '198.51.100.121': '198.51.100.117', '2001:db8:1::1': 'fe80::1' }],
    ['prefer higher precedence', { '2001:db8:1::1': '2001:db8::2', '10.1.2.3': '10.1.2.4' }],
    ['prefer smaller scope', { 'fe80::1': 'fe80::2', '2001:db8:1::1': '2001:db8::2' }],
    [
      'prefer matching label',
      { '2002:c633:6401::1': '2002:c633:6401::2', '2001:db8:1::1': 'fe80::2' },
    ],
    [
      'prefer higher precedence, of both that match',
      { '2001:db8:1::1': '2001:db8:1::2', '2002:c633:6401::1': '2002:c633:6401::2' },
    ],
    [
      'prefer matching label',
      { '2002:c633:6401::1': '2002:c633:6401::2', '2001:db8::1': 'fec0::2' },
    ],
    [
      'use longest matching prefix',
      { '2001:db8:1::1': '2001:db8:1::2', '2001:db8:3ffe::1': '2001:db8:3f44::2' },
    ],
    ['avoid unusable destinations', { '10.1.2.3': '10.1.2.4', '2001:db8::1': '' }],
    ['avoid unusable destinations', { '2001:db8::1': '2001:db8::2', '10.1.2.3': '' }],
  ])('%s: %o', (_rule, sources) => {
    const expected = Object.keys(sources);
    expect(sorted(sources)).toEqual(expected);
    expect(sorted(sources, expected.toReversed())).toEqual(expected);
  });

  it('prefers IPv4 to unique local IPv6 addresses', () => {
    const sources = { 'fd00::1': 'fd00::2', '192.0.2.1': '192.0.2.2' };
    expect(sorted(sources)).toEqual(['192.0.2.1', 'fd00::1']);
  });

  it('prefers the IPv6 loopback to the IPv4 one', () => {
    const sources = { '127.0.0.1': '127.0.0.1', '::1': '::1' };
    expect(sorted(sources)).toEqual(['::1', '127.0.0.1']);
  });

  it('leaves IPv4 addresses as the name server shuffled them, however near one seems', () => {
    const sources = { '198.51.100.1': '192.0.2.9', '192.0.2.1': '192.0.2.9' };
    expect(sorted(sources)).toEqual(['198.51.100.1', '192.0.2.1']);
  });

  it('leaves equals in their order, and compares no more of a prefix than the network', () => {
    const from = '2001:db8::1:0:0:1';
    const sources = { '2001:db8::9:0:0:1': from, '2001:db8::1:0:0:2': from };
    expect(sorted(sources)).toEqual(Object.keys(sources));
    expect(sorted(sources, Object.keys(sources).toReversed())).toEqual(
      Object.keys(sources).toReversed(),
    );
  });

  it('understands zones, multicast scopes, and what has no source', () => {
    const sources = {
      'fe80::1%eth0': 'fe80::2%eth0',
      'ff02::1': 'fe80::2',
      'ff0e::1': '2001:db8::1',
      'fec0::1': 'fec0::2',
      '2001:db8::9': '',
    };
    const expected = Object.keys(sources);
    expect(sorted(sources, expected.toReversed())).toEqual(expected);
  });

  // RFC 8305, section 4.
  it('prefers the faster among equals, and those that are known, to a longer common prefix', () => {
    const from = '2001:db8::1';
    const addresses = ['2001:db8::9', '2001:db8:1::1', '2001:db8:2::1', '2001:db8:3::1'];
    const roundTrips: Record<string, number> = { '2001:db8:2::1': 20, '2001:db8:3::1': 10 };
    const roundTripOf = (address: string) => roundTrips[address];
    expect(sortAddresses(addresses, () => from, roundTripOf)).toEqual([
      ...['2001:db8:3::1', '2001:db8:2::1'],
      ...['2001:db8::9', '2001:db8:1::1'],
    ]);
  });

  it('does not prefer the faster to what rules 1 to 8 put first', () => {
    const sources = { '::1': '::1', '127.0.0.1': '127.0.0.1' };
    const sourceOf = (address: string) => sources[address as keyof typeof sources];
    const roundTripOf = (address: string) => (address === '127.0.0.1' ? 1 : undefined);
    expect(sortAddresses(['127.0.0.1', '::1'], sourceOf, roundTripOf)).toEqual([
      ...['::1', '127.0.0.1'],
    ]);
  });

  it('asks nothing about a single address', () => {
    const sourceOf = jest.fn(() => '');
    expect(sortAddresses(['192.0.2.1'], sourceOf)).toEqual(['192.0.2.1']);
    expect(sourceOf).not.toHaveBeenCalled();
  });
});
