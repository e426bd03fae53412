import { createHmac } from 'node:crypto';
import { RepublishError, traitsOf } from '../contract/failures';
import { type BunkerClient, PERMISSIONS, PERMISSIONS_WITHOUT_AUTH } from '../nostr/bunker/client';
import { SecretRefused } from './facts';

const SAME_AGAIN =
  'Approve this client in the bunker, or unlock it, and then the same command again with the same URI: its secret is not used up, and this client keeps its key.';

const NEW_URI =
  'A bunker URI works once. Make a new connection in the bunker, and give its URI to the same command.';

/**
 * Pairs a client with its bunker and asks which key it signs with.
 *
 * @param say told where the bunker grants less than was asked for
 * @returns that key, hex
 * @throws RepublishError SignerPending or SignerApprovalPending where a person has to come first: then the same again. SecretRefused
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
    // A secret that was used up by this very client key is no obstacle: the bunker knows the key.
    return client.getPublicKey().catch(() => {
      throw new SecretRefused(thrown.message, NEW_URI);
    });
  }
  return client.getPublicKey();
}

/**
 * Some bunkers refuse a client that asks for more than they would ever grant, and no word of theirs tells
 * that from another refusal. Documents need no signature of kind 22242, so it is asked once more without.
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
    await client.connect(secret, PERMISSIONS_WITHOUT_AUTH).catch(() => {
      throw refusal;
    });
    say(
      'note: the bunker pairs only without sign_event:22242, so relays that demand authentication (NIP-42) cannot be used with it',
    );
  }
}

/**
 * Tells the URIs of one bunker apart, without keeping their secrets. A second one is for another client: the
 * bunker may have forgotten the first, or bound the first one's key to a connection that was deleted.
 */
export function tagOfSecret(secret: string | undefined, secretsKey: string): string {
  return createHmac('sha256', secretsKey)
    .update('republish pairing ')
    .update(secret ?? '')
    .digest('hex');
}
