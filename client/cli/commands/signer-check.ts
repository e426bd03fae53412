import type { DeepCheck, Trial } from '../../../pairing/deep-check';
import type { Publishable } from '../../../inspection/publishable';
import { EXIT, exitCodeFor } from '../exit-codes';
import { print, printJson, say } from '../output';
import { expectedDuration } from '../run-view/rate';
import { fittedTable, paragraph } from '../terminal/table';

interface CheckOptions {
  deep?: true;
  json?: true;
}

export function checkSigner(operator: string, { deep, json }: CheckOptions): Promise<void> {
  return deep ? checkDeeply(operator, json === true) : checkShortly(operator, json === true);
}

/** The origin of a signer, in words. */
export const ORIGINS = {
  paired: 'paired here',
  custom: 'found by a provider',
  lnbits: "LNbits' own",
} as const;

async function checkShortly(operator: string, json: boolean): Promise<void> {
  const { withSigners } = await import('../database.js');
  const { checkCurrentSigner } = await import('../../../pairing/current-signers.js');
  const checked = await withSigners(
    (context) => checkCurrentSigner({ ...context, operatorUserId: operator, say }),
    ['lnbitsDatabaseUrl', 'secretsKey'],
  );
  if (json) printJson(checked);
  else
    print(
      `the ${checked.kind} signer of operator ${operator} (${ORIGINS[checked.from]}) answers and signs as ${checked.pubkey}`,
    );
  if (checked.kind === 'lnbits-bunker' && checked.matchesAccount) {
    say(
      'it has encrypted; whether the client of LNbits may sign is seen with the first document, or by --deep',
    );
  }
  if (checked.matchesAccount) return;
  say(
    `error: the account's public key is ${checked.accountPubkey ?? 'not set'}; pair the account's own signer, or correct the account`,
  );
  process.exitCode = EXIT.signer;
}

async function checkDeeply(operator: string, json: boolean): Promise<void> {
  const { withSigners } = await import('../database.js');
  const { deepCheck, MOST_REQUESTS } = await import('../../../pairing/deep-check.js');
  const { expectedMs } = await import('../../../rules/signer-speed.js');
  const { countPublishable } = await import('../../../inspection/publishable.js');
  const { loadWorkerConfiguration } = await import('../configuration.js');
  const needs = ['databaseUrl', 'lnbitsDatabaseUrl', 'secretsKey'] as const;
  const publishable = await countPublishable(await loadWorkerConfiguration(needs), operator);
  say(
    `gives the signer up to ${MOST_REQUESTS} requests; a bunker may ask a person to approve them. Nothing is published`,
  );
  const checked = await withSigners(
    (context) => deepCheck({ ...context, operatorUserId: operator, say }, publishable),
    [...needs],
  );
  const tookMs = checked.speed === null ? null : Math.round(expectedMs(publishable.documents, checked.speed));
  if (json) printJson({ ...checked, ...publishable, tookMs });
  else show(checked, publishable, tookMs);
  const failed = checked.trials.flatMap(({ failure }) => failure ?? []);
  if (failed[0] !== undefined) process.exitCode = exitCodeFor(failed[0].type);
}

function show(checked: DeepCheck, { documents }: Publishable, tookMs: number | null): void {
  const { operatorUserId, kind, from, pubkey, trials, speed } = checked;
  print(`the ${kind} signer of operator ${operatorUserId} (${ORIGINS[from]}) signs as ${pubkey}\n`);
  print(fittedTable(['tried', 'result', ''], trials.map(row)));
  if (tookMs === null || speed === null) print(`\n${documents} documents: how long they take is not known`);
  else print(`\n${documents} documents: ${expectedDuration({ tookMs, atMost: speed.atMost })}`);
  for (const { failure } of trials) {
    if (failure === undefined) continue;
    print(paragraph(`error: ${failure.type}: ${failure.message}`));
    print(paragraph(`remedy for ${failure.type}: ${failure.remedy}`));
  }
}

function row({ what, result, detail, failure }: Trial): string[] {
  return [what, result, failure === undefined ? detail : failure.type];
}
