import { getEventListeners } from 'node:events';
import { RepublishError } from '../../contract/failures';
import { Waiters } from '../../nostr/bunker/waiters';

const nothing = (): void => undefined;
const REASON = new Error('enough');

test('all who wait have the same answer, refusal or failure, and nobody waits any more', async () => {
  const refusal = new RepublishError('SignerRefused', 'denied');
  for (const [end, expected] of [
    [{ result: 'signed' }, ['signed', 'signed']],
    [{ refusal }, [refusal, refusal]],
    [{ failure: REASON }, [REASON, REASON]],
  ] as const) {
    const waiters = new Waiters();
    const all = [1, 2].map(() => waiters.wait({}, false, nothing).catch((error: unknown) => error));
    expect(waiters.size).toBe(2);
    waiters.settle(end);
    expect(await Promise.all(all)).toEqual(expected);
    expect(waiters.size).toBe(0);
  }
});

test('whoever gives up is gone in that moment, and what comes after it is for the others', async () => {
  const waiters = new Waiters();
  const controller = new AbortController();
  const sizes: number[] = [];
  const leaving = waiters.wait({ signal: controller.signal }, false, () => sizes.push(waiters.size));
  const staying = waiters.wait({}, false, nothing);
  controller.abort(REASON);
  waiters.settle({ result: 'signed' });
  await expect(leaving).rejects.toBe(REASON);
  await expect(staying).resolves.toBe('signed');
  expect(sizes).toEqual([1]);
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
});

test('those who are patient stay when the others give up', async () => {
  const waiters = new Waiters();
  const impatient = waiters.wait({}, false, nothing);
  expect(waiters.arePatient).toBe(false);
  const patient = waiters.wait({}, true, nothing);
  expect(waiters.arePatient).toBe(true);
  waiters.giveUp(REASON);
  await expect(impatient).rejects.toBe(REASON);
  expect(waiters.size).toBe(1);
  waiters.settle({ result: 'approved' });
  await expect(patient).resolves.toBe('approved');
});

test('who waits until nobody waits is told when that is so, or hears the reason of its own signal', async () => {
  const waiters = new Waiters();
  await waiters.untilLeft();
  const waiting = waiters.wait({}, false, nothing);
  const controller = new AbortController();
  const impatient = waiters.untilLeft(controller.signal);
  const told = waiters.untilLeft();
  controller.abort(REASON);
  await expect(impatient).rejects.toBe(REASON);
  waiters.settle({ result: '' });
  waiters.tellLeft();
  await Promise.all([told, waiting]);
});
