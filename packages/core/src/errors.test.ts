import { getSystemErrorName } from 'node:util';
import {
  AbortError,
  closedError,
  HappyEyeballsError,
  isSocketError,
  lastError,
  ResolveError,
  SocketClosedError,
  SocketError,
  systemError,
  TimeoutError,
  UnixSocketError,
} from './errors.js';

const errno = (name: string): number => {
  for (let number = 1; number < 200; number++) {
    if (getSystemErrorName(-number) === name) return -number;
  }
  throw new Error(`no errno is called ${name}`);
};

describe('an error', () => {
  it('carries what is known and nothing else', () => {
    const cause = new Error('why');
    const error = new SocketError('text', { code: 'EX', syscall: 'bind', port: 0, cause });
    expect({ ...error }).toEqual({ code: 'EX', syscall: 'bind', port: 0 });
    expect(error.cause).toBe(cause);
    expect('address' in error).toBe(false);
    expect(Object.hasOwn(new SocketError('text'), 'cause')).toBe(false);
  });

  it.each([
    [new SocketError('x'), 'SocketError'],
    [new SocketClosedError('x'), 'SocketClosedError'],
    [new UnixSocketError('x'), 'UnixSocketError'],
    [new TimeoutError('recv', 1), 'TimeoutError'],
    [new ResolveError('x', { gaiCode: -2, hostname: 'h' }), 'ResolveError'],
    [new HappyEyeballsError('x', { errors: [], hostname: 'h' }), 'HappyEyeballsError'],
  ])('shows its class: %s', (error, name) => {
    expect(error.name).toBe(name);
    expect(String(error.stack)).toMatch(new RegExp(`^${name}: `));
    expect(error).toBeInstanceOf(SocketError);
    expect(isSocketError(error)).toBe(true);
  });

  it('is not taken for another branch of the tree', () => {
    expect(new SocketError('x')).not.toBeInstanceOf(SocketClosedError);
    expect(new SocketClosedError('x')).not.toBeInstanceOf(UnixSocketError);
    expect(new AbortError(AbortSignal.abort())).not.toBeInstanceOf(SocketError);
  });

  it.each([undefined, null, 0, 'SocketError', {}, new Error('x'), () => {}])(
    'is not what merely looks like one: %p',
    (value) => {
      expect(isSocketError(value)).toBe(false);
      expect((value as unknown) instanceof SocketClosedError).toBe(false);
    },
  );

  it('can be asked for even of a proxy that answers nothing', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(isSocketError(proxy)).toBe(false);
  });

  it('can be derived from', () => {
    class OwnError extends SocketClosedError {}
    const error = new OwnError('x');
    expect(error).toBeInstanceOf(OwnError);
    expect(error).toBeInstanceOf(SocketClosedError);
    expect(error).toBeInstanceOf(SocketError);
    expect(new SocketClosedError('x')).not.toBeInstanceOf(OwnError);
  });

  it('of the tree is remembered, an abort is not', () => {
    const error = closedError(3);
    expect(lastError()).toBe(error);
    new AbortError(AbortSignal.abort());
    expect(lastError()).toBe(error);
    expect(error).toMatchObject({ code: 'ERR_SOCK_CLOSED', bytesTransferred: 3 });
  });
});

describe('an errno', () => {
  it.each([
    ['ECONNRESET', {}, SocketClosedError],
    ['EPIPE', { path: '/x' }, SocketClosedError],
    ['ENOENT', { path: '/x' }, UnixSocketError],
    ['ENOENT', {}, SocketError],
  ])('becomes its class: %s %p', (name, details, type) => {
    const error = systemError(errno(name), details);
    expect(error.constructor).toBe(type);
    expect(error).toMatchObject({ code: name, errno: errno(name) });
    expect(error.errno).toBeLessThan(0);
  });

  it.each([
    [{ syscall: 'connect', address: '127.0.0.1', port: 80 }, 'connect EACCES 127.0.0.1:80: '],
    [{ syscall: 'connect', address: '::1', port: 80 }, 'connect EACCES [::1]:80: '],
    [{ syscall: 'bind', address: '::1' }, 'bind EACCES ::1: '],
    [{ syscall: 'bind', path: '/a' }, 'bind EACCES /a: '],
    [{}, 'EACCES: '],
  ])('reads well with %p', (details, start) => {
    expect(systemError(errno('EACCES'), details).message).toBe(`${start}permission denied`);
  });

  it('that nobody knows still makes an error', () => {
    expect(systemError(-9999, { syscall: 'recv' })).toMatchObject({
      code: expect.stringContaining('9999'),
      errno: -9999,
    });
  });

  it.each([
    ['ECONNREFUSED', true],
    ['ETIMEDOUT', true],
    ['EMFILE', true],
    ['ENFILE', true],
    ['EADDRINUSE', true],
    ['EACCES', false],
    ['ENOENT', false],
    ['EINVAL', false],
    ['ENOTCONN', false],
  ])('says whether the same call may succeed later: %s', (name, retryable) => {
    expect(systemError(errno(name), {}).retryable).toBe(retryable);
  });
});

describe('an abort', () => {
  it('has the shape of Node’s own', () => {
    const error = new AbortError(AbortSignal.abort('reason'), 5);
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'reason' });
    expect(error.bytesTransferred).toBe(5);
  });
});
