import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { lockSecretKey } from '../../nostr/keys';
import { Keyring, type StoredSigner } from '../../nostr/signers/keyring';
import { type BareRelay, startBareRelay } from '../support/bare-relay';
import { until } from '../support/until';

const SECRETS_KEY = 'a secrets key that is long enough';

describe('two operators of one bunker', () => {
  const bunkerPubkey = getPublicKey(generateSecretKey());
  let relays: BareRelay[];
  let keyring: Keyring;

  beforeAll(async () => {
    // Neither ever answers: what is looked at is whether a request goes out.
    relays = await Promise.all([startBareRelay(), startBareRelay()]);
    keyring = new Keyring({
      secretsKey: SECRETS_KEY,
      bunkerConcurrency: 1,
      bunkerTimeoutMs: 120_000,
      approvalTimeoutMs: 120_000,
      connectTimeoutMs: 30_000,
      allowPrivateBunkerRelays: false,
    });
  });
  afterAll(async () => {
    keyring.close();
    await Promise.all(relays.map((relay) => relay.stop()));
  });

  const signerOver = async (...urls: string[]): Promise<StoredSigner> => ({
    kind: 'bunker',
    bunkerPubkey,
    bunkerRelays: urls,
    namedRelays: urls,
    ncryptsec: await lockSecretKey(generateSecretKey(), SECRETS_KEY),
  });
  const ask = (stored: StoredSigner): AbortController => {
    const given = new AbortController();
    void keyring
      .use(stored, (signer) => signer.getPublicKey({ signal: given.signal }))
      .catch(() => undefined);
    return given;
  };

  test('one that is reached over a relay of its own takes no place from the other; over the same relays they share', async () => {
    const [own, usual] = relays as [BareRelay, BareRelay];
    const stalled = ask(await signerOver(own.url, usual.url));
    await until(() => own.countOf('EVENT') === 1 && usual.countOf('EVENT') === 1, 30_000);
    const first = ask(await signerOver(usual.url));
    await until(() => usual.countOf('EVENT') === 2, 30_000);

    const third = await signerOver(usual.url);
    const second = ask(third);
    await until(() => usual.countOf('REQ') === 3, 30_000);
    expect(usual.countOf('EVENT')).toBe(2);
    first.abort(new Error('given up'));
    await until(() => usual.countOf('EVENT') === 3, 30_000);
    for (const each of [stalled, second]) each.abort(new Error('over'));
  }, 120_000);
});
