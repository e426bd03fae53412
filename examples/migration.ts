/**
 * The end of a migration script: the accounts of the operators have moved to bunkers, and the documents of
 * their machines follow.
 *
 *     node migration.js 8f3c2b 91aa07
 *
 * TEMPORAL_ADDRESS and the other variables of Temporal say where it is. You can run the script again at any
 * time: it leaves alone what stands, and attaches to a run that is not over.
 */
import { republishOperatorConfigs, RepublishFailed } from 'republish-operator-configs';

async function main(operators: string[]): Promise<void> {
  for (const operator of operators) {
    try {
      const events = await republishOperatorConfigs(operator, { reason: 'accounts moved to bunkers' });
      console.log(`${operator}: ${Object.values(events).flat().length} documents stand`);
    } catch (error) {
      // A failure of one operator's bunker must not stop the others. Any other error ends the script.
      if (!(error instanceof RepublishFailed)) throw error;
      console.error(`${operator}: ${error.type}: ${error.message}. ${error.remedy}`);
      process.exitCode = 3;
    }
  }
}

void main(process.argv.slice(2));
