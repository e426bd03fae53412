/** A worker for operators whose keys are in a signing service. `republish worker` uses the module instead. */
import { runWorker } from 'republish-operator-configs/worker';
import provider from './provider.mjs';

await runWorker({
  signers: [provider],
  onRunEnded: ({ operatorUserId, outcome }) => console.log(`${operatorUserId}: ${outcome}`),
});
