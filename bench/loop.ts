import { BunkerSigner } from 'nostr-tools/nip46';
import { SimplePool, useWebSocketImplementation } from 'nostr-tools/pool';
import WebSocket from 'ws';
import { type Database, openDatabase } from '../database/connection';
import { generateSecretKey } from '../nostr/keys';
import { childArguments, tellReady } from './child';

/**
 * What people write without this program: a loop over the machines that encrypts, signs and publishes, with so many documents
 * at a time, over nostr-tools' BunkerSigner and SimplePool. Nothing is remembered, nothing is read back, and what fails ends it.
 */
export interface LoopArguments extends Batch {
  databaseUrl: string;
  relay: string;
  inFlight: number;
  /** As a run does: the bunker is asked for its key before the first document. */
  askFirst?: boolean;
  /** Done before the measurement begins. */
  warmUp?: Batch | undefined;
}

export interface Batch {
  operatorUserId: string;
  /** Documents to do; both types of so many machines as that takes. */
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
  if (options.askFirst === true) await tools.signer.sendRequest('get_public_key', []);
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

/** @returns how many documents it was */
async function republish(
  { database, pool, signer }: Tools,
  { relay, inFlight }: Pick<LoopArguments, 'relay' | 'inFlight'>,
  batch: Batch,
): Promise<number> {
  const machines = await database.query<{ id: string; atm_pubkey: string }>(
    'SELECT id, atm_pubkey FROM dca_machines WHERE operator_user_id = $1 ORDER BY id LIMIT $2',
    [batch.operatorUserId, Math.ceil(batch.documents / 2)],
  );
  const documents = machines
    .flatMap((machine) =>
      (['cassettes', 'fees'] as const).map((kind) => ({ ...machine, kind, type: `bitspire-${kind}` })),
    )
    .slice(0, batch.documents);
  const events: Record<string, string[]> = {};
  const left = documents.values();
  const worker = async (): Promise<void> => {
    for (const { id, atm_pubkey, kind, type } of left) {
      const rows = await database.query(`SELECT * FROM bitspire_${kind} WHERE machine_id = $1`, [id]);
      const content = await signer.nip44Encrypt(atm_pubkey, JSON.stringify(rows));
      const event = await signer.signEvent({
        kind: 30078,
        created_at: Math.floor(Date.now() / 1000),
        tags: [['d', `${type}:${atm_pubkey}`]],
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
