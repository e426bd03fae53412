/**
 * For `node --require`: a process whose clock is as far ahead as the file says, in milliseconds, from one
 * moment to the next.
 */
const { readFileSync } = require('node:fs');

const RealDate = Date;
const aheadMs = () => Number(readFileSync(process.env.SHIFTED_CLOCK_FILE, 'utf8'));
let readAtMs = -Infinity;
let shiftMs = 0;
const nowMs = () => {
  // Looked at often enough for a test, and not with each of the many calls.
  if (performance.now() - readAtMs > 20) {
    shiftMs = aheadMs();
    readAtMs = performance.now();
  }
  return RealDate.now() + shiftMs;
};

globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(nowMs());
    else super(...given);
  }

  static now() {
    return nowMs();
  }
};
