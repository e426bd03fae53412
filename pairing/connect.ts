import { createHmac } from 'node:crypto';
import { RepublishError, traitsOf } from '../contract/failures';
import { type BunkerClient, PERMISSIONS, PERMISSIONS_WITHOUT_AUTH } from '../nostr/bunker/client';
import { SecretRefused } from './facts';

const SAME_AGAIN =
  'Approve this client in the bunker, or unlock the bunker. Then run the same command with the same URI: ' +
  'its secret is not used up, and this client keeps its key.';

const NEW_URI =
  'A bunker URI works once. Make a new connection in the bunker, and give its URI to the same command.';

/**
 * Pairs a client with its bunker (NIP-46 `connect`) and asks for the public key that it signs with.
 *
 * @param say called with a note for the person if the bunker grants less than it was asked for
 * @returns that key, hex
 * @throws RepublishError SignerPending: a person must act at the bunker first. Then the same call succeeds
 * @throws SecretRefused the bunker does not accept the secret
 */
export async function pair(
  client: BunkerClient,
  secret: string | undefined,
  say: (text: string) => void,
): Promise<string> {
  try {
    await connect(client, secret, say);
  } catch (thrown) {
    if (!(thrown instanceof RepublishError)) throw thrown;
    if (traitsOf(thrown.type).needsPerson)
      throw new RepublishError(thrown.type, thrown.message, {
        retryAfterMs: thrown.retryAfterMs,
        remedy: SAME_AGAIN,
      });
    if (thrown.type !== 'SignerRefused') throw thrown;
    // If this client key has used the secret up already, the bunker knows the key and answers this.
    return client.getPublicKey().catch(() => {
      throw new SecretRefused(thrown.message, NEW_URI);
    });
  }
  return client.getPublicKey();
}

/**
 * Some bunkers refuse a client that asks for a permission which they never grant, and their message does not
 * say so. Documents do not need signatures of kind 22242, so after a refusal it asks once more without that
 * one.
 */
async function connect(
  client: BunkerClient,
  secret: string | undefined,
  say: (text: string) => void,
): Promise<void> {
  try {
    await client.connect(secret, PERMISSIONS);
  } catch (refusal) {
    if (!(refusal instanceof RepublishError) || refusal.type !== 'SignerRefused') throw refusal;
    await client.connect(secret, PERMISSIONS_WITHOUT_AUTH).catch((second: unknown) => {
      // If a person must approve first, the permission was not the cause, and the first refusal misleads.
      throw second instanceof RepublishError && traitsOf(second.type).needsPerson ? second : refusal;
    });
    say(
      'note: the bunker pairs only without sign_event:22242, ' +
        'so relays that demand authentication (NIP-42) cannot be used with it',
    );
  }
}

/**
 * A tag that tells the URIs of one bunker apart without their secrets. Another URI needs another client key:
 * the bunker may have forgotten the first one, or may have bound it to a connection that was deleted.
 */
export function tagOfSecret(secret: string | undefined, secretsKey: string): string {
  return createHmac('sha256', secretsKey)
    .update('republish pairing ')
    .update(secret ?? '')
    .digest('hex');
}
