import type { FailureType } from '../../contract/failures';
import { findingsOf } from '../../inspection/doctor/finding';
import { OF_LEDGER, OF_LNBITS, withoutFollowUps } from '../../inspection/doctor/follow-up';

const { ok: rightsOk, fail: rightsFail } = findingsOf('database', 'rights');
const { ok, warn, fail } = findingsOf('signer', 'all');
const lnbitsFail = findingsOf('lnbits', 'rights').fail('lacks a right', 'SourceMisconfigured');

const seen = async (type: FailureType, ledger = [rightsOk('all')], lnbits = [rightsOk('all')]) =>
  withoutFollowUps(Promise.resolve([ok('one'), warn('two', 'do'), fail('three', type)]), [
    { types: OF_LEDGER, findings: Promise.resolve(ledger) },
    { types: OF_LNBITS, findings: Promise.resolve(lnbits) },
  ]);

test('a failure that follows from one of its prerequisites was not looked at; every other one stays', async () => {
  const ledger = [rightsFail('lacks a right', 'DatabaseMisconfigured')];
  expect(await seen('DatabaseMisconfigured', ledger)).toEqual([
    ok('one'),
    warn('two', 'do'),
    {
      area: 'signer',
      subject: 'all',
      status: 'unknown',
      message: 'not looked at: first repair database rights',
    },
  ]);
  expect((await seen('SourceMisconfigured', undefined, [lnbitsFail]))[2]).toMatchObject({
    status: 'unknown',
    message: 'not looked at: first repair lnbits rights',
  });
  // Of another database, of no database, and of one with which nothing is wrong.
  for (const [type, failed] of [
    ['SourceMisconfigured', ledger],
    ['SignerTimeout', ledger],
    ['DatabaseMisconfigured', undefined],
  ] as const)
    expect((await seen(type, failed && [...failed]))[2]).toEqual(fail('three', type));
});
