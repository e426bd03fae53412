import { authEvent } from '../../nostr/relays/identity';
import { asOperator } from '../../inspection/asker';

const operatorPubkey = '0'.repeat(64);

test('whoever is told that a relay requires authentication is not told the secret path of its URL', async () => {
  const said: string[] = [];
  const nothing = { database: undefined as never, configuration: undefined as never };
  const owner = { operatorUserId: 'operator', operatorPubkey };
  const identity = asOperator(nothing, owner, (text) => said.push(text));
  const event = authEvent(operatorPubkey, 'wss://relay.example/canary?token=canary', 'challenge');
  // There is no signer here: what counts is what was said before.
  await expect(identity.sign(event)).rejects.toThrow();
  expect(said).toEqual([expect.stringMatching(/^wss:\/\/relay\.example\/… requires authentication/)]);
  expect(said.join()).not.toContain('canary');
});
