import { DefaultFailureConverter } from '@temporalio/common';

/**
 * Messages and stack traces of failures as payloads, which a codec encodes like all others: without it they
 * stand in history as plain text. By the name that the SDK looks for, in workers, clients and the bundle of
 * the workflows.
 */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
