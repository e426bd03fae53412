import { sleep } from '@temporalio/workflow';
import type { RepublishInput, RepublishResult } from '../../../contract/input';
import { republishOperatorConfigs as today } from '../../../workflows';

/**
 * The workflow of a release whose author has forgotten `patched()`: it cannot replay what today's has begun.
 */
export async function republishOperatorConfigs(input: RepublishInput): Promise<RepublishResult> {
  await sleep(1);
  return today(input);
}
