import type { SignedEvent } from '../../nostr/events';
import { RelayConnection } from '../../nostr/relays/connection';
import type { Saga } from './saga';

/** Everything that this program keeps, as text: two that are equal say that nothing was written. */
export async function ledgerText({ database }: Saga): Promise<string> {
  const tables = ['signers', 'pairings', 'runs', 'documents', 'audit_log', 'migrations'];
  const texts = await Promise.all(
    tables.map((table) =>
      database.query<{ rows: string }>(
        `SELECT coalesce(json_agg(t ORDER BY t::text), '[]')::text AS rows FROM republish.${table} AS t`,
      ),
    ),
  );
  return texts.map(([row]) => row?.rows).join('\n');
}

/** Publishes an event past this program, as LNbits does when an operator saves a change. */
export async function publishBeside(url: string | undefined, event: SignedEvent): Promise<void> {
  const connection = await RelayConnection.open({ url: url ?? '', connectTimeoutMs: 5_000 });
  const reply = await connection.publish(event, 5_000);
  connection.close();
  if (reply.kind !== 'ok' || !reply.accepted) throw new Error(`not published: ${JSON.stringify(reply)}`);
}
