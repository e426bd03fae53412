/** A worker whose operators' keys are in a signing service. `republish worker` does the same by the module. */
import { runWorker } from 'republish-operator-configs/worker';
import provider from './provider.mjs';

await runWorker({
  signers: [provider],
  onRunEnded: ({ operatorUserId, outcome }) => console.log(`${operatorUserId}: ${outcome}`),
});
