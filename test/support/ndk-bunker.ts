import { randomBytes } from 'node:crypto';
import { getPublicKey } from 'nostr-tools/pure';
import type { BunkerRequest } from '../../dev/bunker-faults';
import { type ChildBunker, startChild } from './child-servers';
import type { NdkBunkerArguments } from './ndk-bunker-program';

/**
 * NDK's Nip46Backend in a process of its own, since it needs what Node 20 lacks and is not ours to stop. Its
 * key is the user's key. A kill makes it forget its clients.
 */
export async function startNdkBunker(
  options: Pick<NdkBunkerArguments, 'relays'> & Partial<Pick<NdkBunkerArguments, 'refusedKinds'>>,
): Promise<Omit<ChildBunker, 'allow'>> {
  const requests: BunkerRequest[] = [];
  const secretKey = randomBytes(32);
  const given: NdkBunkerArguments = {
    refusedKinds: [],
    ...options,
    secretKeyHex: secretKey.toString('hex'),
    secret: randomBytes(16).toString('hex'),
  };
  const server = await startChild(
    'the bunker of NDK',
    () => `require('./test/support/ndk-bunker-program').serve(${JSON.stringify(given)})`,
    (line) => {
      if (line.startsWith('{')) requests.push(JSON.parse(line) as BunkerRequest);
    },
  );
  const relays = given.relays.map((url) => `relay=${encodeURIComponent(url)}`);
  const userPubkey = getPublicKey(secretKey);
  return {
    ...server,
    requests,
    userPubkey,
    uri: () => `bunker://${userPubkey}?${[...relays, `secret=${given.secret}`].join('&')}`,
  };
}
