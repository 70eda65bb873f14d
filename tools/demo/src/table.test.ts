import { number } from './table.js';

describe('the figures of a table', () => {
  it('show a count whole, however small', () => {
    expect([0, 7, 57, 18_874_368].map(number)).toEqual(['0', '7', '57', '18,874,368']);
  });

  it('show three significant digits of what is measured below a hundred', () => {
    expect([0.1234, 45.81, 99.94, 1254.3].map(number)).toEqual(['0.123', '45.8', '99.9', '1,254']);
  });
});
