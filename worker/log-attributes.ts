import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { workInHand } from '../activities/work-in-hand';

/**
 * Adds page and document type to every line that the SDK logs about an activity. Workflow and run are there
 * already.
 */
export const namePageInLogs: ActivityInterceptorsFactory = (context) => ({
  outbound: {
    getLogAttributes: (attributes, next) => {
      const { page, documentType } = workInHand(context);
      return next({
        ...attributes,
        ...(page === undefined ? {} : { page }),
        ...(documentType === undefined ? {} : { documentType }),
      });
    },
  },
});
