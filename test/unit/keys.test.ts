import { randomBytes } from 'node:crypto';
import { bech32 } from '@scure/base';
import fc from 'fast-check';
import { decode, nsecEncode } from 'nostr-tools/nip19';
import { decrypt as nip49Decrypt, encrypt as nip49Encrypt } from 'nostr-tools/nip49';
import { RepublishError } from '../../contract/failures';
import {
  generateSecretKey,
  getPublicKey,
  lockSecretKey,
  nevent,
  npub,
  parsePublicKey,
  parseSecretKey,
  unlockSecretKey,
} from '../../nostr/keys';
import { fails } from '../support/fails';

const secretKey = generateSecretKey();
const pubkey = getPublicKey(secretKey);
const hex = Buffer.from(secretKey).toString('hex');

/** 64 hex characters, but no x of a point on the curve. */
const OFF_CURVE = `${'0'.repeat(63)}5`;

describe('parsePublicKey', () => {
  it.each([
    ['hex', pubkey],
    ['upper-case hex', pubkey.toUpperCase()],
    ['npub', npub(pubkey)],
    ['upper-case npub', npub(pubkey).toUpperCase()],
    ['hex with blanks around it', ` ${pubkey}\n`],
  ])('reads %s', (_, text) => {
    expect(parsePublicKey(text)).toBe(pubkey);
  });

  it.each([
    ['nothing', ''],
    // Postgres would not take this blank away, and so not see that two machines share a key.
    ['hex behind a blank that is not of ASCII', `\u00a0${pubkey}`],
    ['an npub in mixed case', `NPUB${npub(pubkey).slice(4)}`],
    ['half of it', pubkey.slice(0, 32)],
    ['a compressed key', `02${pubkey}`],
    ['other letters', 'g'.repeat(64)],
    ['zero', '0'.repeat(64)],
    ['a number above the field', 'f'.repeat(64)],
    ['a number off the curve', OFF_CURVE],
    ['an npub off the curve', npub(OFF_CURVE)],
    ['an npub with a typing error', npub(pubkey).replace(/.$/, (last) => (last === 'q' ? 'p' : 'q'))],
    ['an npub that was cut', npub(pubkey).slice(0, -1)],
    ['an nsec', nsecEncode(secretKey)],
    ['an nevent', nevent('ab'.repeat(32), pubkey)],
  ])('refuses %s', (_, text) => {
    expect(parsePublicKey(text)).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `npub1${text}`),
        ),
        (text) => {
          expect(parsePublicKey(text)).toBeUndefined();
        },
      ),
    );
  });
});

describe('parseSecretKey', () => {
  it.each([
    ['hex', hex],
    ['upper-case hex', hex.toUpperCase()],
    ['nsec', nsecEncode(secretKey)],
    ['nsec with blanks around it', ` ${nsecEncode(secretKey)} `],
  ])('reads %s', (_, text) => {
    expect(parseSecretKey(text)).toEqual(secretKey);
  });

  it.each([
    ['nothing', ''],
    ['zero', '0'.repeat(64)],
    ['the order of the curve', 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'],
    ['an npub', npub(pubkey)],
    ['an nsec that was cut', nsecEncode(secretKey).slice(0, -1)],
  ])('refuses %s', (_, text) => {
    expect(parseSecretKey(text)).toBeUndefined();
  });
});

describe('a stored secret key', () => {
  it('opens with its password and with no other', async () => {
    const locked = await lockSecretKey(secretKey, 'the right secrets key');
    expect(locked).toMatch(/^ncryptsec1/);
    expect(await unlockSecretKey(locked, 'the right secrets key')).toEqual(secretKey);
    const error = await fails(RepublishError, unlockSecretKey(locked, 'the wrong secrets key'));
    expect(error.type).toBe('SignerUnlockFailed');
    expect(error.message).not.toMatch(/wrong secrets|ncryptsec/);
  });

  it('looks different each time it is locked', async () => {
    expect(await lockSecretKey(secretKey, 'password')).not.toBe(await lockSecretKey(secretKey, 'password'));
  });

  it('is a NIP-49 key to others, and theirs is one here, whatever the spelling of the password', async () => {
    // The same letters, composed and decomposed: NIP-49 wants NFKC.
    const [composed, decomposed] = ['\u00c5ngstr\u00f6m', 'A\u030angstro\u0308m'];
    expect(nip49Decrypt(await lockSecretKey(secretKey, composed), decomposed)).toEqual(secretKey);
    expect(await unlockSecretKey(nip49Encrypt(secretKey, decomposed, 12), composed)).toEqual(secretKey);
  });

  it.each([
    ['a password that a person may have thought of', 'correct horse battery staple', 16],
    ['32 random bytes, which nobody guesses', randomBytes(32).toString('hex'), 10],
  ])('is locked with as many rounds as %s needs', async (_, password, logN) => {
    const locked = await lockSecretKey(secretKey, password);
    const payload = bech32.fromWords(bech32.decode(locked as `${string}1${string}`, 5_000).words);
    expect(payload[1]).toBe(logN);
    expect(await unlockSecretKey(locked, password)).toEqual(secretKey);
  });

  it.each([[''], ['ncryptsec1'], ['nonsense']])('does not open when %j is stored', async (stored) => {
    const error = await fails(RepublishError, Promise.resolve(unlockSecretKey(stored, 'password')));
    expect(error.type).toBe('SignerUnlockFailed');
  });

  it('does not open when an nsec lies in its place, or when one character was changed', async () => {
    const locked = await lockSecretKey(secretKey, 'password');
    const changed = locked.replace(/.$/, (last) => (last === 'q' ? 'p' : 'q'));
    for (const stored of [nsecEncode(secretKey), changed]) {
      expect((await fails(RepublishError, unlockSecretKey(stored, 'password'))).type).toBe(
        'SignerUnlockFailed',
      );
    }
  });
});

describe('the words for the edges', () => {
  it('are npub and nevent (NIP-19)', () => {
    expect(decode(npub(pubkey))).toEqual({ type: 'npub', data: pubkey });
    const id = 'ab'.repeat(32);
    expect(decode(nevent(id, pubkey))).toMatchObject({ type: 'nevent', data: { id, author: pubkey } });
  });
});
