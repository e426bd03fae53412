import { patched, sleep } from '@temporalio/workflow';
import type { RepublishInput, RepublishResult } from '../../../contract/input';
import { republishOperatorConfigs as today } from '../../../workflows';

/**
 * The workflow of a later release: it does more than today's before and after, each guarded by `patched()`.
 */
export async function republishOperatorConfigs(input: RepublishInput): Promise<RepublishResult> {
  if (patched('later-release-before')) await sleep(1);
  const result = await today(input);
  if (patched('later-release-after')) await sleep(1);
  return result;
}
