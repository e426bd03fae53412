import { generateSecretKey } from 'nostr-tools/pure';
import type { DevBunker } from '../../dev/bunker';
import type { BunkerFault, BunkerRequest, FaultAction } from '../../dev/bunker-faults';
import type { DevRelay } from '../../dev/relay';
import { DOCUMENT_KIND } from '../../documents/document-type';
import type { ClientFrame, FaultProxy, ProxyAction } from './fault-proxy';

/** Makes well again what a lever has broken. */
export type Heal = () => unknown;

/** What stands where a lever is pulled. */
export interface RelayScene {
  proxy: FaultProxy;
  /** Behind the proxy. */
  relay: DevRelay;
  /** Something goes wrong once in this many frames. */
  every: number;
  /** The keys that a relay with NIP-42 admits. */
  admits(pubkey: string): boolean;
}

export type RelayLever = (scene: RelayScene) => Heal | Promise<Heal>;

export interface BunkerScene {
  bunker: DevBunker;
  every: number;
  /** Another client key for the operator's bunker. */
  pairAnew(): Promise<void>;
}

/** What a bunker does to its answers, and how it recovers if removing its script is not enough. */
export interface BunkerTrouble {
  script?: BunkerFault;
  heal?: Heal;
}

export type BunkerLever = (scene: BunkerScene) => BunkerTrouble;

/** What a relay does to frames, until it is well. */
function deals(faultOf: (scene: RelayScene) => (frame: ClientFrame) => ProxyAction | undefined): RelayLever {
  return (scene) => {
    scene.proxy.setFault(faultOf(scene));
    return () => scene.proxy.setFault(undefined);
  };
}

const every = (type: string, action: (frame: ClientFrame) => ProxyAction): RelayLever =>
  deals((scene) => (frame) => {
    if (frame.type !== type || frame.nth % scene.every !== 0) return undefined;
    return action(frame);
  });

const events = (action: ProxyAction): RelayLever => every('EVENT', () => action);

/** Lets `atOnce` pass in each `withinMs`, and says no to the others. */
function limit(atOnce: number, withinMs: number): () => boolean {
  let passed: number[] = [];
  return () => {
    const nowMs = Date.now();
    passed = passed.filter((atMs) => atMs > nowMs - withinMs);
    if (passed.length >= atOnce) return false;
    passed.push(nowMs);
    return true;
  };
}

/** It demands authentication again in the middle of a connection, and accepts any key. */
const forgetsLogins = deals(({ every: often }) => {
  let isOwed = false;
  return ({ type, subject, nth }) => {
    if (type === 'AUTH') {
      isOwed = false;
      return { reply: [['OK', subject, true, '']] };
    }
    if (type !== 'EVENT' && type !== 'REQ') return undefined;
    if (nth % (2 * often) === 0) isOwed = true;
    if (!isOwed) return undefined;
    const no = 'auth-required: once more';
    return {
      reply: [
        ['AUTH', `challenge ${nth}`],
        type === 'EVENT' ? ['OK', subject, false, no] : ['CLOSED', subject, no],
      ],
    };
  };
});

/** It offers authentication and does not require it; the answer to AUTH is the given one. */
const offersLogin = (answer: (id: string) => unknown[][]): RelayLever =>
  deals(() => ({ type, subject, nth }) => {
    if (type === 'AUTH') return { reply: answer(subject) };
    return type === 'REQ' ? { ahead: [['AUTH', `challenge ${nth}`]] } : undefined;
  });

/** Keeps two events of each author: a third removes the oldest, as on relays with a quota. */
const evicts = deals(({ relay }) => ({ event }) => {
  if (event?.kind !== DOCUMENT_KIND) return undefined;
  const own = relay.events().filter(({ kind, pubkey }) => kind === DOCUMENT_KIND && pubkey === event.pubkey);
  for (const { id } of own.slice(2)) relay.drop(id);
  return undefined;
});

/** khatru's limits for events and reads, with shorter intervals. */
const throttles = deals(() => {
  const [takesEvent, takesRead] = [limit(4, 1_500), limit(12, 1_500)];
  return ({ type, subject }) => {
    const no = 'rate-limited: slow down';
    if (type === 'EVENT' && !takesEvent()) return { reply: [['OK', subject, false, no]] };
    if (type === 'REQ' && !takesRead()) return { reply: [['CLOSED', subject, no]] };
    return undefined;
  };
});

export const RELAY_LEVERS = {
  drops: events({ drop: 'after' }),
  swallows: events({ swallowAnswer: true }),
  delays: events({ delayMs: 700 }),
  'refuses for now': events({ answer: { ok: false, message: 'rate-limited: slow down' } }),
  'stores nothing': events({ answer: { ok: true, message: '' } }),
  'is down': async ({ proxy }) => {
    await proxy.down();
    return () => proxy.up();
  },
  'demands to know': ({ proxy, admits }) => {
    proxy.demandAuthentication(admits);
    proxy.dropConnections();
    return () => {
      proxy.demandAuthentication(undefined);
      proxy.dropConnections();
    };
  },
  'forgets logins': forgetsLogins,
  'refuses logins and needs none': offersLogin((id) => [['OK', id, false, 'restricted: nobody is let in']]),
  'says nothing to logins': offersLogin(() => []),
  'never says EOSE': every('REQ', () => ({ eose: [] })),
  'says EOSE first': every('REQ', ({ subject }) => ({ ahead: [['EOSE', subject]] })),
  'says CLOSED after the events': every('REQ', ({ subject }) => ({
    eose: [['CLOSED', subject, 'error: shutting down']],
  })),
  'says NOTICE for EOSE': every('REQ', () => ({ eose: [['NOTICE', 'ERROR: too many subscriptions']] })),
  'says NOTICE for OK': every('EVENT', () => ({ reply: [['NOTICE', 'rate limit: 2 events a minute']] })),
  'closes with a reason': every('EVENT', () => ({ close: { code: 1008, reason: 'policy: not today' } })),
  'refuses handshakes': ({ proxy }) => {
    proxy.refuseHandshakes(429);
    proxy.dropConnections();
    return () => proxy.refuseHandshakes(undefined);
  },
  throttles,
  evicts,
} satisfies Record<string, RelayLever>;

const now =
  (action: FaultAction): BunkerLever =>
  ({ every: often }) => ({ script: (_request, index) => (index % often === 0 ? action : undefined) });

const isOf = ({ method }: BunkerRequest): boolean => method === 'sign_event' || method === 'nip44_encrypt';

/** Once in a number of encryptions and signatures. */
const documents =
  (action: FaultAction): BunkerLever =>
  ({ every: often }) => {
    let asked = 0;
    return { script: (request) => (isOf(request) && ++asked % often === 0 ? action : undefined) };
  };

const signatures =
  (action: (request: BunkerRequest, bunker: DevBunker) => FaultAction): BunkerLever =>
  ({ bunker }) => ({
    script: (request) => (request.method === 'sign_event' ? action(request, bunker) : undefined),
  });

const oneAfterTheOther: BunkerLever = () => {
  let last = Promise.resolve();
  return {
    script: async () => {
      last = last.then(() => new Promise((resolve) => setTimeout(resolve, 250)));
      await last;
      return undefined;
    },
  };
};

/** The bunker shows no page, and answers everything in the end. */
const asksAPerson: BunkerLever = () => {
  let approve: () => void = () => undefined;
  const approved = new Promise<void>((resolve) => (approve = resolve));
  const script: BunkerFault = async (request) => {
    if (isOf(request)) await approved;
    return undefined;
  };
  return { script, heal: approve };
};

const rateLimited: BunkerLever = () => {
  const takes = limit(6, 1_000);
  return { script: (request) => (isOf(request) && !takes() ? { error: 'rate limited' } : undefined) };
};

const forgetsItsClients: BunkerLever = ({ bunker, pairAnew }) => {
  let asked = 0;
  return {
    script: (request) => {
      if (request.method === 'sign_event' && ++asked === 2) bunker.forgetClients();
      return undefined;
    },
    heal: pairAnew,
  };
};

const OTHER_KEY = generateSecretKey();

export const BUNKER_LEVERS = {
  swallows: now({ swallow: true }),
  delays: now({ delayMs: 800 }),
  'repeats itself': now({ duplicate: 3, delayMs: 50 }),
  'is garbled': now({ rawPayload: 'garbage' }),
  dies: ({ bunker }) => {
    bunker.pause();
    return { heal: () => bunker.resume() };
  },
  'says no': now({ error: 'try again later' }),
  'encrypts with a key of its own': () => ({
    script: ({ method }) => (method === 'nip44_encrypt' ? { encryptWith: OTHER_KEY } : undefined),
  }),
  'does one after the other': oneAfterTheOther,
  'is slow': documents({ delayMs: 600 }),
  'answers late': documents({ delayMs: 1_600 }),
  'is rate limited': rateLimited,
  'is busy': documents({ error: 'busy, try again later' }),
  'is locked': signatures(() => ({ error: 'signer is locked' })),
  'asks a person': asksAPerson,
  'has other words for no': documents({ error: 'refusing to sign this event' }),
  'says no and then yes': documents({ refusedBefore: 'unauthorized', afterMs: 100 }),
  'gives objects': signatures(({ id, params }, bunker) => ({
    rawJson: signedObject(bunker, id, params[0] ?? ''),
  })),
  'writes its key in capitals': ({ bunker }) => ({
    script: ({ method }) =>
      method === 'get_public_key' ? { reportPubkey: bunker.userPubkey.toUpperCase() } : undefined,
  }),
  'asks to approve switch_relays': () => ({
    script: ({ method }) =>
      method === 'switch_relays'
        ? { authUrl: 'https://bunker.example.com/approve', then: 'nothing' }
        : undefined,
  }),
  'changes the date': signatures((_request, bunker) => ({
    mutateEvent: ({ kind, created_at, tags, content }) =>
      bunker.signAsUser({ kind, created_at: created_at + 1, tags, content }),
  })),
  'forgets its clients': forgetsItsClients,
} satisfies Record<string, BunkerLever>;

export type RelayFault = keyof typeof RELAY_LEVERS;
export type BunkerFaultName = keyof typeof BUNKER_LEVERS;

/** As some bunkers answer: NIP-46 wants the event as JSON text. */
export function signedObject(bunker: DevBunker, id: string, template: string): string {
  const { kind, created_at, tags, content } = JSON.parse(template) as Parameters<DevBunker['signAsUser']>[0];
  return JSON.stringify({ id, result: bunker.signAsUser({ kind, created_at, tags, content }) });
}
