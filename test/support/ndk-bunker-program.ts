import NDK, { type NDKEvent, NDKNip46Backend, NDKPrivateKeySigner } from '@nostr-dev-kit/ndk';
import WebSocket from 'ws';

/** What `test/support/ndk-bunker.ts` gives to this program. */
export interface NdkBunkerArguments {
  relays: string[];
  secretKeyHex: string;
  secret: string;
  /** Event kinds that the bunker refuses to sign. */
  refusedKinds: number[];
}

/**
 * The bunker of another library (NDK), in a process without code of ours. NDK leaves two decisions to its
 * user: which clients it admits, and what the URI's secret allows. Both follow its documentation. Words,
 * shapes and timing are NDK's.
 */
export async function serve({
  relays,
  secretKeyHex,
  secret,
  refusedKinds,
}: NdkBunkerArguments): Promise<void> {
  // Node 20 has none, and NDK brings none.
  globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;
  let unheard = relays.length;
  const ndk = new NDK({
    explicitRelayUrls: relays,
    // It asks public relays where a user is.
    enableOutboxModel: false,
    // It does not say otherwise from when on it listens.
    netDebug: (frame, _relay, direction) => {
      if (direction === 'recv' && frame.startsWith('["EOSE"') && --unheard === 0) console.error('up');
    },
  });
  void ndk.connect();
  const clients = new Set<string>();

  class Backend extends NDKNip46Backend {
    override applyToken(pubkey: string, token: string): Promise<void> {
      if (token === secret) clients.add(pubkey);
      return Promise.resolve();
    }
  }
  const backend = new Backend(
    ndk,
    new NDKPrivateKeySigner(secretKeyHex),
    ({ pubkey, method, params }) => {
      const { kind } = (method === 'sign_event' ? params : {}) as Partial<NDKEvent>;
      return Promise.resolve(clients.has(pubkey) && !(kind !== undefined && refusedKinds.includes(kind)));
    },
    relays,
  );
  for (const [method, own] of Object.entries(backend.handlers)) {
    backend.setStrategy(method, {
      handle: (to, id, clientPubkey, params) => {
        console.error(JSON.stringify({ id, method, params, clientPubkey, eventId: '', atMs: Date.now() }));
        return own.handle(to, id, clientPubkey, params);
      },
    });
  }
  await backend.start();
}
