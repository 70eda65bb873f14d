/** A store over Redis, with as much of its protocol (RESP2) as that needs. */
import { Socket } from '@sock/core';
import type { CircuitStore } from '@sock/reconnect';

const getScript = `
  local value = redis.call('GET', KEYS[1])
  if not value then return false end
  return { value, redis.call('PTTL', KEYS[1]) }`;

const replaceScript = `
  if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
  if ARGV[2] == '' then redis.call('DEL', KEYS[1])
  else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
  return 1`;

type Reply = string | number | null | Reply[];

export class Redis {
  private buffered: Buffer = Buffer.alloc(0);
  /** Answers come in the order of the questions. */
  private last: Promise<unknown> = Promise.resolve();

  private constructor(private readonly socket: Socket) {}

  static async connect(path: string): Promise<Redis> {
    const socket = new Socket({ family: 'unix' });
    await socket.connectUnix(path);
    return new Redis(socket);
  }

  command(...words: (string | number)[]): Promise<Reply> {
    const parts = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`);
    const asked = this.socket.sendAll(`*${words.length}\r\n${parts.join('')}`);
    const answer = Promise.all([asked, this.last]).then(() => this.reply());
    this.last = answer.catch(() => {});
    return answer;
  }

  close(): void {
    this.socket.close();
  }

  private async line(): Promise<string> {
    for (;;) {
      const end = this.buffered.indexOf('\r\n');
      if (end >= 0) return this.take(end + 2).toString('utf8', 0, end);
      this.buffered = Buffer.concat([this.buffered, await this.socket.recv()]);
    }
  }

  private take(count: number): Buffer {
    const taken = this.buffered.subarray(0, count);
    this.buffered = this.buffered.subarray(count);
    return taken;
  }

  private async reply(): Promise<Reply> {
    const line = await this.line();
    const rest = line.slice(1);
    switch (line[0]) {
      case '+':
        return rest;
      case ':':
        return Number(rest);
      case '$':
        return Number(rest) < 0 ? null : this.text(Number(rest));
      case '*': {
        const items: Reply[] = [];
        for (let left = Number(rest); left > 0; left--) items.push(await this.reply());
        return items;
      }
      default:
        throw new Error(line);
    }
  }

  private async text(length: number): Promise<string> {
    while (this.buffered.length < length + 2) {
      this.buffered = Buffer.concat([this.buffered, await this.socket.recv()]);
    }
    return this.take(length + 2).toString('utf8', 0, length);
  }
}

export function redisStore(redis: Redis): CircuitStore {
  return {
    async get(key) {
      const found = await redis.command('EVAL', getScript, 1, key);
      if (!Array.isArray(found)) return null;
      return { value: String(found[0]), ttl: Number(found[1]) };
    },
    async replace(key, expected, value, ttl) {
      const args = [expected ?? '', value ?? '', Math.ceil(ttl)];
      return (await redis.command('EVAL', replaceScript, 1, key, ...args)) === 1;
    },
  };
}
