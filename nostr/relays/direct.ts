import { setTimeout as sleep } from 'node:timers/promises';
import type { Address, SignedEvent } from '../events';
import { type PublishReply, type ReadReply, type RelayConnection } from './connection';
import { plainText } from './plain-text';
import {
  type Asking,
  decidedBefore,
  decidedBy,
  type DocumentRelay,
  type DocumentRelayOptions,
  newestAt,
  type Placed,
  type Sighting,
} from './document-relay';
import type { AuthReply, RelayIdentity } from './identity';
import type { RelayPool } from './pool';
import { meaningOfRefusal } from './refusals';

/** A relay may say OK a moment before its reads see the event: waits between the looks. */
const LOOK_AGAIN_MS = [50, 150, 400, 800];

/** A relay of NIP-01, which answers with OK, EOSE and CLOSED. */
export class DirectRelay implements DocumentRelay {
  constructor(
    private readonly pool: RelayPool,
    private readonly options: DocumentRelayOptions,
  ) {}

  async look(address: Address, { identity }: Pick<Asking, 'identity'> = {}): Promise<Sighting> {
    const connection = await this.pool.get(this.options.url);
    await this.#introduce(connection, identity);
    return this.#sighting(connection, address, identity);
  }

  async place(event: SignedEvent, address: Address, { seen, identity }: Asking = {}): Promise<Placed> {
    const connection = await this.pool.get(this.options.url);
    const introduced = await this.#introduce(connection, identity);
    if (introduced?.kind === 'refused' || introduced?.kind === 'withheld')
      return notAuthenticated(introduced);
    const before = decidedBefore(seen ?? (await this.#sighting(connection, address, identity)), event);
    if (before !== undefined) return before;

    let reply = await connection.publish(event, this.options.replyTimeoutMs);
    if (demandsIdentity(reply) && identity !== undefined) {
      const authenticated = await this.#authenticate(connection, identity);
      if (authenticated.kind !== 'accepted') return notAuthenticated(authenticated);
      reply = await connection.publish(event, this.options.replyTimeoutMs);
    }
    if (reply.kind === 'lost') return { standing: { state: 'unreachable', detail: plainText(reply.reason) } };
    const meaning = reply.kind === 'ok' && !reply.accepted ? meaningOfRefusal(reply.message) : undefined;
    if (reply.kind === 'ok' && meaning === 'final') {
      return { standing: { state: 'refused', detail: reply.message }, final: true };
    }
    const isRefused = meaning === 'retry' || meaning === 'authenticate';
    const detail = reply.kind === 'silent' ? 'no OK' : reply.message;

    const after = await this.#lookUntilDecided(connection, address, event, identity, isRefused);
    if (after.kind === 'unknown') return { standing: { state: 'unreachable', detail: after.reason } };
    const decided = decidedBy(after, event);
    if (decided !== undefined) return decided;
    if (isRefused) return { standing: { state: 'refused', detail } };
    return { standing: { state: after.kind === 'event' ? 'older' : 'absent', detail } };
  }

  /** To a relay that has announced that it wants to know who comes: before the first question, not after its refusal. */
  async #introduce(
    connection: RelayConnection,
    identity: RelayIdentity | undefined,
  ): Promise<AuthReply | undefined> {
    if (identity === undefined || this.options.isAuthRequired?.() !== true) return undefined;
    return this.#authenticate(connection, identity);
  }

  #authenticate(connection: RelayConnection, identity: RelayIdentity): Promise<AuthReply> {
    return connection.authenticate(identity, this.options.replyTimeoutMs);
  }

  /** Reads back; where the relay took the event but does not show it yet, a few times. */
  async #lookUntilDecided(
    connection: RelayConnection,
    address: Address,
    event: SignedEvent,
    identity: RelayIdentity | undefined,
    refused: boolean,
  ): Promise<Sighting> {
    let sighting = await this.#sighting(connection, address, identity);
    for (const waitMs of refused ? [] : LOOK_AGAIN_MS) {
      if (sighting.kind === 'unknown' || decidedBy(sighting, event) !== undefined) break;
      await sleep(waitMs);
      sighting = await this.#sighting(connection, address, identity);
    }
    return sighting;
  }

  async #sighting(
    connection: RelayConnection,
    address: Address,
    identity: RelayIdentity | undefined,
  ): Promise<Sighting> {
    const read = (): Promise<ReadReply> =>
      connection.read(
        { kinds: [address.kind], authors: [address.pubkey], '#d': [address.d] },
        this.options.replyTimeoutMs,
      );
    let reply = await read();
    if (reply.kind === 'closed' && reply.reason.startsWith('auth-required:') && identity !== undefined) {
      const authenticated = await this.#authenticate(connection, identity);
      if (authenticated.kind !== 'accepted') return { kind: 'unknown', reason: why(authenticated) };
      reply = await read();
    }
    if (reply.kind === 'closed') return { kind: 'unknown', reason: `read refused: ${reply.reason}` };
    if (reply.kind === 'timeout') return { kind: 'unknown', reason: 'no answer to a read', isSilent: true };
    if (reply.kind === 'lost') return { kind: 'unknown', reason: plainText(reply.reason) };
    return newestAt(address, reply.events);
  }
}

function demandsIdentity(reply: PublishReply): boolean {
  return reply.kind === 'ok' && !reply.accepted && meaningOfRefusal(reply.message) === 'authenticate';
}

/** A relay that does not take the operator's key will not take it later either; a signer that is silent may answer later. */
function notAuthenticated(reply: Exclude<AuthReply, { kind: 'accepted' }>): Placed {
  return reply.kind === 'failed'
    ? { standing: { state: 'unreachable', detail: why(reply) } }
    : { standing: { state: 'refused', detail: why(reply) }, final: true };
}

function why({ kind, reason }: Exclude<AuthReply, { kind: 'accepted' }>): string {
  return plainText(`authentication ${kind}: ${reason}`);
}
