import { Conversation, questionSize } from './conversation.js';

describe('a conversation', () => {
  it('takes the answer in pieces', () => {
    const conversation = new Conversation(7);
    const answer = Buffer.from(conversation.ask());
    expect(conversation.hear(answer.subarray(0, 10))).toBe(false);
    expect(conversation.hear(answer.subarray(10))).toBe(true);
    expect(conversation.answers).toBe(1);
  });

  it('refuses a wrong byte', () => {
    const conversation = new Conversation(7);
    const answer = Buffer.from(conversation.ask());
    answer.writeUInt8(answer.readUInt8(40) ^ 1, 40);
    expect(() => conversation.hear(answer)).toThrow('answer 0 is wrong from byte 0 on');
  });

  it('refuses the last answer once more', () => {
    const conversation = new Conversation(7);
    const answer = Buffer.from(conversation.ask());
    conversation.hear(answer);
    conversation.ask();
    expect(() => conversation.hear(answer)).toThrow('answer 1 is wrong');
  });

  it("refuses another connection's answer", () => {
    const answer = Buffer.from(new Conversation(8).ask());
    const conversation = new Conversation(7);
    conversation.ask();
    expect(() => conversation.hear(answer)).toThrow('answer 0 is wrong');
  });

  it('refuses more than it asked for', () => {
    const conversation = new Conversation(7);
    const answer = Buffer.concat([conversation.ask(), Buffer.alloc(1)]);
    expect(answer).toHaveLength(questionSize + 1);
    expect(() => conversation.hear(answer)).toThrow('answer 0 is wrong');
  });
});
