/**
 * The end of a migration script: the operators' accounts have moved to their bunkers, and their machines'
 * documents follow.
 *
 *     node migration.js 8f3c2b 91aa07
 *
 * TEMPORAL_ADDRESS and its companions say where Temporal is. It may be run again at any time: what is in
 * place is left alone, and a run that goes on is attached to.
 */
import { republishOperatorConfigs, RepublishFailed } from 'republish-operator-configs';

async function main(operators: string[]): Promise<void> {
  for (const operator of operators) {
    try {
      const events = await republishOperatorConfigs(operator, { reason: 'accounts moved to bunkers' });
      console.log(`${operator}: ${Object.values(events).flat().length} documents stand`);
    } catch (error) {
      // One operator's bunker must not keep the others from their documents. Everything else ends the script.
      if (!(error instanceof RepublishFailed)) throw error;
      console.error(`${operator}: ${error.type}: ${error.message}. ${error.remedy}`);
      process.exitCode = 3;
    }
  }
}

void main(process.argv.slice(2));
