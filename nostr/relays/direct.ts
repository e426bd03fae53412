import { setTimeout as sleep } from 'node:timers/promises';
import type { Address, SignedEvent } from '../events';
import { plainText, type RelayConnection } from './connection';
import {
  decidedBefore,
  decidedBy,
  type DocumentRelay,
  type DocumentRelayOptions,
  newestAt,
  type Placed,
  type Sighting,
} from './document-relay';
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

  async look(address: Address): Promise<Sighting> {
    return this.#sighting(await this.pool.get(this.options.url), address);
  }

  async place(event: SignedEvent, address: Address, seen?: Sighting): Promise<Placed> {
    const connection = await this.pool.get(this.options.url);
    const before = decidedBefore(seen ?? (await this.#sighting(connection, address)), event);
    if (before !== undefined) return before;

    const reply = await connection.publish(event, this.options.replyTimeoutMs);
    if (reply.kind === 'lost') return { standing: { state: 'unreachable', detail: plainText(reply.reason) } };
    const meaning = reply.kind === 'ok' && !reply.accepted ? meaningOfRefusal(reply.message) : undefined;
    if (reply.kind === 'ok' && meaning === 'final') {
      return { standing: { state: 'refused', detail: reply.message }, final: true };
    }
    const detail = reply.kind === 'silent' ? 'no OK' : reply.message;

    const after = await this.#lookUntilDecided(connection, address, event, meaning === 'retry');
    if (after.kind === 'unknown') return { standing: { state: 'unreachable', detail: after.reason } };
    const decided = decidedBy(after, event);
    if (decided !== undefined) return decided;
    if (meaning === 'retry') return { standing: { state: 'refused', detail } };
    return { standing: { state: after.kind === 'event' ? 'older' : 'absent', detail } };
  }

  /** Reads back; where the relay took the event but does not show it yet, a few times. */
  async #lookUntilDecided(
    connection: RelayConnection,
    address: Address,
    event: SignedEvent,
    refused: boolean,
  ): Promise<Sighting> {
    let sighting = await this.#sighting(connection, address);
    for (const waitMs of refused ? [] : LOOK_AGAIN_MS) {
      if (sighting.kind === 'unknown' || decidedBy(sighting, event) !== undefined) break;
      await sleep(waitMs);
      sighting = await this.#sighting(connection, address);
    }
    return sighting;
  }

  async #sighting(connection: RelayConnection, address: Address): Promise<Sighting> {
    const reply = await connection.read(
      { kinds: [address.kind], authors: [address.pubkey], '#d': [address.d] },
      this.options.replyTimeoutMs,
    );
    if (reply.kind === 'closed') return { kind: 'unknown', reason: `read refused: ${reply.reason}` };
    if (reply.kind === 'timeout') return { kind: 'unknown', reason: 'no answer to a read' };
    if (reply.kind === 'lost') return { kind: 'unknown', reason: plainText(reply.reason) };
    return newestAt(address, reply.events);
  }
}
