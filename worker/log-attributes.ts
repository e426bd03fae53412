import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { workInHand } from '../activities/work-in-hand';

/** Puts the document into every line that the SDK logs about an activity; workflow and run are there already. */
export const nameDocumentInLogs: ActivityInterceptorsFactory = (context) => ({
  outbound: {
    getLogAttributes: (attributes, next) => next({ ...attributes, ...workInHand(context).document }),
  },
});
