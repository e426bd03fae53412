import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { documentNamedBy } from '../activities/document-named-by';

/** Puts the document into every line that the SDK logs about an activity; workflow and run are there already. */
export const nameDocumentInLogs: ActivityInterceptorsFactory = () => {
  let document: Record<string, unknown> = {};
  return {
    inbound: {
      async execute(input, next) {
        document = documentNamedBy(input.args[0]);
        return next(input);
      },
    },
    outbound: {
      getLogAttributes: (attributes, next) => next({ ...attributes, ...document }),
    },
  };
};
