import { decode } from 'nostr-tools/nip19';
import { BunkerSigner } from 'nostr-tools/nip46';
import { SimplePool, useWebSocketImplementation } from 'nostr-tools/pool';
import WebSocket from 'ws';
import { type Database, openDatabase } from '../database/connection';
import { generateSecretKey, getPublicKey } from '../nostr/keys';
import { childArguments, tellReady } from './child';

/**
 * The program that people write without this one: a loop over the machines that encrypts, signs and
 * publishes, with nostr-tools' BunkerSigner and SimplePool and a limited number of documents at a time. It
 * stores nothing, reads nothing back, and ends at the first failure.
 */
export interface LoopArguments extends Batch {
  databaseUrl: string;
  relay: string;
  inFlight: number;
  /** First ask the bunker for its key and prove its encryption, as a run does. */
  askFirst?: boolean;
  /** Documents before the measurement begins. */
  warmUp?: Batch | undefined;
}

export interface Batch {
  operatorUserId: string;
  /** Number of documents: both types of half as many machines. */
  documents: number;
  /** Of the operator's bunker. */
  signerPubkey: string;
}

export interface LoopFacts {
  ms: number;
  cpuMs: number;
  documents: number;
}

async function run(options: LoopArguments): Promise<LoopFacts> {
  useWebSocketImplementation(WebSocket);
  const database = openDatabase({ url: options.databaseUrl });
  const pool = new SimplePool();
  const connect = async ({ signerPubkey }: Batch): Promise<Tools> => {
    const signer = BunkerSigner.fromBunker(
      generateSecretKey(),
      { pubkey: signerPubkey, relays: [options.relay], secret: null },
      { pool },
    );
    await signer.connect();
    return { database, pool, signer };
  };
  if (options.warmUp !== undefined) await republish(await connect(options.warmUp), options, options.warmUp);
  const tools = await connect(options);
  const { user, system } = process.cpuUsage();
  const startedAtMs = performance.now();
  if (options.askFirst === true) {
    await tools.signer.sendRequest('get_public_key', []);
    await tools.signer.nip44Encrypt(getPublicKey(generateSecretKey()), 'x'.repeat(1_024));
  }
  const documents = await republish(tools, options, options);
  const ms = performance.now() - startedAtMs;
  const cpu = process.cpuUsage();
  await database.close();
  return { ms, cpuMs: (cpu.user - user + cpu.system - system) / 1000, documents };
}

interface Tools {
  database: Database;
  pool: SimplePool;
  signer: BunkerSigner;
}

/** @returns the number of documents */
async function republish(
  { database, pool, signer }: Tools,
  { relay, inFlight }: Pick<LoopArguments, 'relay' | 'inFlight'>,
  batch: Batch,
): Promise<number> {
  const machines = await database.query<{ id: string; machine_npub: string }>(
    'SELECT id, machine_npub FROM spirekeeper.dca_machines WHERE operator_user_id = $1 ORDER BY id LIMIT $2',
    [batch.operatorUserId, Math.ceil(batch.documents / 2)],
  );
  const documents = machines
    .flatMap(({ id, machine_npub }) => {
      const atmPubkey = hexOf(machine_npub);
      return [
        { id, atmPubkey, type: 'bitspire-cassettes', read: cassettesOf },
        { id, atmPubkey, type: 'bitspire-fees', read: feesOf },
      ];
    })
    .slice(0, batch.documents);
  const events: Record<string, string[]> = {};
  const left = documents.values();
  const worker = async (): Promise<void> => {
    for (const { id, atmPubkey, type, read } of left) {
      const content = await signer.nip44Encrypt(atmPubkey, JSON.stringify(await read(database, id)));
      const event = await signer.signEvent({
        kind: 30078,
        created_at: Math.floor(Date.now() / 1000),
        tags: [
          ['d', `${type}:${atmPubkey}`],
          ['p', atmPubkey],
        ],
        content,
      });
      await Promise.any(pool.publish([relay], event));
      (events[type] ??= []).push(event.id);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  await database.query('CREATE TABLE IF NOT EXISTS bench_audit (events jsonb)');
  await database.query('INSERT INTO bench_audit VALUES ($1)', [JSON.stringify(events)]);
  return documents.length;
}

/** LNbits has machine keys as hex and as npub. */
function hexOf(key: string): string {
  const text = key.toLowerCase();
  return text.startsWith('npub1') ? decode(text as `npub1${string}`).data : text;
}

async function cassettesOf(database: Database, machineId: string): Promise<unknown> {
  const rows = await database.query<{ position: number; denomination: number; count: number }>(
    'SELECT position, denomination, count FROM spirekeeper.cassette_configs WHERE machine_id = $1',
    [machineId],
  );
  return {
    positions: Object.fromEntries(
      rows.map(({ position, denomination, count }) => [position, { denomination, count }]),
    ),
  };
}

async function feesOf(database: Database, machineId: string): Promise<unknown> {
  const [row] = await database.query<Record<string, number>>(
    `SELECT (super.super_cash_in_fee_fraction + machine.operator_cash_in_fee_fraction)::float8 AS cash_in,
            (super.super_cash_out_fee_fraction + machine.operator_cash_out_fee_fraction)::float8 AS cash_out,
            super.super_cash_in_fee_fraction::float8 AS super_cash_in,
            super.super_cash_out_fee_fraction::float8 AS super_cash_out,
            machine.operator_cash_in_fee_fraction::float8 AS operator_cash_in,
            machine.operator_cash_out_fee_fraction::float8 AS operator_cash_out
       FROM spirekeeper.dca_machines AS machine, spirekeeper.super_config AS super WHERE machine.id = $1`,
    [machineId],
  );
  const { cash_in, cash_out, ...components } = row ?? {};
  return { schema_version: 1, cash_in_fee_fraction: cash_in, cash_out_fee_fraction: cash_out, components };
}

run(childArguments<LoopArguments>()).then(
  (facts) => {
    tellReady(facts);
    process.exit(0);
  },
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
