import { ReconnectingSocket } from '@sock/reconnect';

const link = new ReconnectingSocket('127.0.0.1', Number(process.env.PORT), { initialDelay: 10 });
link.on('lost', ({ error }) => console.log(`lost: ${error.message}`));
link.on('connected', () => console.log('connected'));

link.connect();
for await (const chunk of link) {
  console.log(chunk.toString());
  if (chunk.includes('goodbye')) link.close();
}
