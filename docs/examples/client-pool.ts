import { ClientPool } from '@sock/pool';

await using pool = new ClientPool({
  host: '127.0.0.1',
  port: Number(process.env.PORT),
  max: 2,
  idleTimeout: 10_000,
});

const ask = (question: string) =>
  pool.use(async (connection) => {
    await connection.sendAll(question);
    return String(await connection.recv());
  });

const replies = await Promise.all(['one', 'two', 'three', 'four'].map(ask));
console.log(replies.join(' '), `by ${pool.stats.created} connections`);
