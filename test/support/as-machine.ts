import { matchFilter } from 'nostr-tools/filter';
import { decrypt, getConversationKey } from 'nostr-tools/nip44';
import { generateSecretKey } from 'nostr-tools/pure';
import type { Database } from '../../database/connection';
import type { SeededMachine } from '../../dev/seed';
import { DOCUMENT_KIND, dTag } from '../../documents/document-type';
import type { SignedEvent } from '../../nostr/events';

/**
 * The document of each type, made from the machine's rows by Postgres alone: no code under test takes part.
 */
const STATES: Record<string, string> = {
  'bitspire-cassettes': `SELECT machine_id AS id, '{"positions":{' || string_agg(
      format('"%s":{"denomination":%s,"count":%s}', position, denomination, count), ',' ORDER BY position) || '}}' AS state
    FROM spirekeeper.cassette_configs WHERE machine_id = ANY ($1) GROUP BY machine_id`,
  'bitspire-fees': `SELECT id, format('{"schema_version":1,"cash_in_fee_fraction":%s,"cash_out_fee_fraction":%s,"components":'
      '{"super_cash_in":%s,"super_cash_out":%s,"operator_cash_in":%s,"operator_cash_out":%s}}',
      trim_scale(super_in + operator_in), trim_scale(super_out + operator_out),
      trim_scale(super_in), trim_scale(super_out), trim_scale(operator_in), trim_scale(operator_out)) AS state
    FROM (SELECT machine.id, super_cash_in_fee_fraction::numeric AS super_in, super_cash_out_fee_fraction::numeric AS super_out,
                 operator_cash_in_fee_fraction::numeric AS operator_in, operator_cash_out_fee_fraction::numeric AS operator_out
            FROM spirekeeper.dca_machines AS machine, spirekeeper.super_config WHERE machine.id = ANY ($1)) AS fees`,
};

/** The plaintext of each document, by its d tag. */
export type States = ReadonlyMap<string, string>;

/** What each machine would have to read now. */
export async function statesOf(
  database: Database,
  machines: readonly Pick<SeededMachine, 'id' | 'atmPubkey'>[],
): Promise<Map<string, string>> {
  const states = new Map<string, string>();
  for (const [documentType, sql] of Object.entries(STATES)) {
    const rows = await database.query<{ id: string; state: string }>(sql, [machines.map(({ id }) => id)]);
    const stateOf = new Map(rows.map(({ id, state }) => [id, state]));
    for (const { id, atmPubkey } of machines) {
      const state = stateOf.get(id);
      if (state !== undefined) states.set(dTag(documentType, atmPubkey), state);
    }
  }
  return states;
}

/**
 * Looks for a machine's documents with the machine's own filters and key. Returns what is wrong with each; an
 * empty list when all is well.
 *
 * @param stores the events of each relay
 * @param states any of these states is right
 */
export function objectionsOf(
  { atmPubkey, secretKey }: SeededMachine,
  { documentType, event }: { documentType: string; event: SignedEvent },
  { stores, states }: { stores: readonly SignedEvent[][]; states: readonly States[] },
): { invariant: 'I7' | 'I8'; what: string }[] {
  const d = dTag(documentType, atmPubkey);
  const ofAuthor = { kinds: [DOCUMENT_KIND], authors: [event.pubkey] };
  const objections: { invariant: 'I7' | 'I8'; what: string }[] = [];
  for (const filter of [
    { ...ofAuthor, '#d': [d] },
    { ...ofAuthor, '#p': [atmPubkey] },
  ]) {
    const holding = stores.filter((store) => store.some(({ id }) => id === event.id));
    const found = holding.every((store) =>
      store.some((each) => each.id === event.id && matchFilter(filter, each)),
    );
    if (!found)
      objections.push({ invariant: 'I8', what: `${d} is not found with ${JSON.stringify(filter)}` });
  }
  if (readWith(generateSecretKey(), event) !== undefined)
    objections.push({ invariant: 'I8', what: `a stranger reads ${d}` });
  const text = readWith(secretKey, event);
  if (text === undefined) objections.push({ invariant: 'I7', what: `the machine cannot read ${d}` });
  else if (!states.some((each) => each.get(d) === text))
    objections.push({ invariant: 'I7', what: `the machine reads another ${d} than its rows say` });
  return objections;
}

function readWith(secretKey: Uint8Array, { content, pubkey }: SignedEvent): string | undefined {
  try {
    return decrypt(content, getConversationKey(secretKey, pubkey));
  } catch {
    return undefined;
  }
}
