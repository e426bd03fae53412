import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { workInHand } from '../activities/work-in-hand';

/** Puts the page into every line that the SDK logs about an activity; workflow and run are there already. */
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
