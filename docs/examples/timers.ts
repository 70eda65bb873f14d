import { SocketPoll } from '@sock/poll';

const poll = new SocketPoll();
let ticks = 0;
const clock = poll.addRepeatingTimer(10, () => {
  ticks++;
  if (ticks === 3) clock.cancel();
  else timeout.reschedule(1_000);
});
const timeout = poll.addTimer(1_000, () => console.log('nothing for a second'));

while (ticks < 3) await poll.wait();
console.log(`${ticks} ticks, and ${Math.ceil(timeout.remaining / 1_000)} second left`);
poll.close();
