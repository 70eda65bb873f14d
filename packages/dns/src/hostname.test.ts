import { checkHost, checkLiteral, checkName, parseHost } from './hostname.js';

const name = (text: string) => ({
  kind: 'name',
  name: text,
  keys: { any: `any ${text}`, ipv4: `ipv4 ${text}`, ipv6: `ipv6 ${text}` },
});
const literal = (address: string, family: string) => ({ kind: 'literal', address, family });

describe('a host', () => {
  it.each([
    ['example.org', name('example.org')],
    ['EXAMPLE.Org', name('example.org')],
    ['localhost', name('localhost')],
    ['a', name('a')],
    ['4chan.org', name('4chan.org')],
    ['3com', name('3com')],
    ['1.2.3.4.example', name('1.2.3.4.example')],
    ['_dmarc.example.org', name('_dmarc.example.org')],
    ['my_host', name('my_host')],
    ['r3---sn-abc.example', name('r3---sn-abc.example')],
    ['xn--bcher-kva.example', name('xn--bcher-kva.example')],
    ['bücher.example', name('xn--bcher-kva.example')],
    ['BÜCHER.example', name('xn--bcher-kva.example')],
    ['例え。テスト', name('xn--r8jz45g.xn--zckzah')],
    ['a_b.bücher', name('a_b.xn--bcher-kva')],
    ['example.org.', name('example.org.')],
    ['bücher.example.', name('xn--bcher-kva.example.')],
    [`${'a'.repeat(63)}.example`, name(`${'a'.repeat(63)}.example`)],
    [`${'a.'.repeat(126)}a`, name(`${'a.'.repeat(126)}a`)],
    ['a.'.repeat(127), name('a.'.repeat(127))],
    ['192.0.2.1', literal('192.0.2.1', 'ipv4')],
    ['2001:DB8:0:0::1', literal('2001:db8::1', 'ipv6')],
    ['::ffff:192.0.2.1', literal('::ffff:192.0.2.1', 'ipv6')],
    ['fe80::1%lo', literal('fe80::1%lo', 'ipv6')],
    ['fe80:0::1%1', literal('fe80::1%1', 'ipv6')],
  ])('may be %s', (text, expected) => {
    expect(checkHost(text)).toEqual(expected);
  });

  it.each([
    ['', 'must have 1 to 253 characters'],
    ['.', 'must have 1 to 253 characters'],
    [`${'a.'.repeat(127)}a`, 'must have 1 to 253 characters'],
    ['..', 'must consist of labels'],
    ['a..b', 'must consist of labels'],
    ['.a', 'must consist of labels'],
    ['a.b..', 'must consist of labels'],
    [`${'a'.repeat(64)}.example`, 'must consist of labels'],
    ['-a.example', 'must consist of labels'],
    ['a-.example', 'must consist of labels'],
    ['a b', 'must consist of labels'],
    ['a\0b', 'must consist of labels'],
    ['127.0.0.1\0', 'must consist of labels'],
    ['a\nb', 'must consist of labels'],
    ['[::1]', 'must consist of labels'],
    ['::1%', 'must consist of labels'],
    ['example.org:80', 'must consist of labels'],
    ['http://example.org', 'must consist of labels'],
    ['*.example.org', 'must consist of labels'],
    ['ü..example', 'must consist of labels'],
    ['ü b', 'must be a valid international domain name'],
    ['\ud800.example', 'must be a valid international domain name'],
    ['１２７.０.０.１', 'must not be an address in disguise'],
    ['127.1', 'must not be a shortened'],
    ['2130706433', 'must not be a shortened'],
    ['0x7f.0.0.1', 'must not be a shortened'],
    ['0x7f000001', 'must not be a shortened'],
    ['0177.0.0.1', 'must not be a shortened'],
    ['256.0.0.1', 'must not be a shortened'],
    ['127.0.0.1.', 'must not be a shortened'],
    ['example.0x', 'must not be a shortened'],
  ])('may not be %j', (text, reason) => {
    expect(() => checkHost(text)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringMatching(`^The "host" argument ${reason}`),
      }),
    );
  });

  it.each([undefined, null, 1, {}, Symbol('x'), Object.create(null)])(
    'is a string: %p',
    (value) => {
      expect(parseHost(value)).toEqual({ reason: 'must be a string' });
      for (const check of [checkHost, checkName]) {
        expect(() => check(value)).toThrow(
          expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
        );
      }
      expect(() => checkLiteral(value, 'address')).toThrow(/"address" argument must be a string/);
    },
  );

  it('can be asked to be an address, or not to be one', () => {
    expect(checkLiteral('fe80::1%lo', 'address').address).toBe('fe80::1%lo');
    expect(() => checkLiteral('localhost', 'address')).toThrow(/must be a literal IP address/);
    expect(() => checkLiteral('::1\0', 'address')).toThrow(/must be a literal IP address/);
    expect(checkName('_sip._tcp.Example.org')).toBe('_sip._tcp.example.org');
    expect(() => checkName('::1')).toThrow(/"name" argument must be a name/);
  });
});

it('a host that was taken apart is not taken apart again, however many there are', () => {
  const [first, literal] = [parseHost('again.test'), parseHost('192.0.2.1')];
  expect(parseHost('again.test')).toBe(first);
  expect(parseHost('192.0.2.1')).toBe(literal);
  for (let index = 0; index < 2_500; index++) {
    expect(parseHost(`host-${index}.test`)).toMatchObject({ name: `host-${index}.test` });
  }
  expect(parseHost('again.test')).toEqual(first);
  expect(parseHost('again..test')).toHaveProperty('reason');
  expect(parseHost('again..test')).toHaveProperty('reason');
});
