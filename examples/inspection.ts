/**
 * What would a run do, what stands, and how did the last run end? The commands `plan`, `verify`, `audit` and
 * `report` as functions. None of them can write or sign.
 *
 *     node inspection.js 8f3c2b
 *
 * DATABASE_URL, REPUBLISH_RELAYS and REPUBLISH_SECRETS_KEY are those of the workers.
 */
import { askTemporal, connect } from 'republish-operator-configs';
import {
  auditOf,
  hasObstacles,
  planRepublish,
  report,
  verifyDocuments,
} from 'republish-operator-configs/inspection';

async function main(operatorUserId: string): Promise<void> {
  const plan = await planRepublish({ operatorUserId, documentTypes: ['bitspire-fees'] });
  console.log(`to publish: ${plan.counts.publish}, in the way: ${hasObstacles(plan)}`);

  const { counts } = await verifyDocuments({ operatorUserId });
  console.log(`machines find ${counts.current} documents, and miss ${counts.missing}`);

  const { audits } = await auditOf(operatorUserId, { limit: 1 });
  console.log(`last run: ${audits[0]?.outcome ?? 'none'}`);

  const { client, close } = await connect();
  const { verdict } = await report(operatorUserId, { temporal: askTemporal(client) });
  console.log(verdict.sentence);
  await close();
}

void main(process.argv[2] ?? '');
