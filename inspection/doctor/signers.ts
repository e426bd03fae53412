import { within } from '../../async/wait';
import { secretsKeySource } from '../../configuration/load';
import { type FailureType, remedyFor, RepublishError } from '../../contract/failures';
import { forOperator } from '../../rules/shell';
import { Limiter } from '../../async/limiter';
import { askCurrentSigner, type CurrentSigner, listCurrentSigners } from '../../pairing/current-signers';
import type { SignerContext } from '../../pairing/facts';
import { check, type Finding, findingsOf } from './finding';

/** How long a bunker may take here. `doctor` must end, even where a run would wait longer. */
const MAX_ANSWER_MS = 10_000;
const AT_ONCE = 16;
/** For all signers. Signers that are not asked by then get a warning. */
const ALL_MS = 60_000;

/**
 * Checks each signer: the secrets key opens it (or LNbits' own can be read), it answers, and its key is the
 * account's. Nothing is signed or encrypted: a bunker may ask a person for that.
 *
 * @param context with a secrets key; `say` is called with what a person must approve
 */
export function checkSigners(
  context: Omit<SignerContext, 'operatorUserId'>,
  operatorUserId: string | undefined,
): Promise<Finding[]> {
  return check({ area: 'signer', subject: 'all', timeoutMs: ALL_MS + 5_000 }, async () => {
    const signers = await listCurrentSigners(context, operatorUserId);
    if (signers.length === 0) return [noSigner(operatorUserId)];
    const findings = await checkEach(context, signers);
    const stored = signers.filter(({ signer }) => 'addedAt' in signer).length;
    if (stored === 0) return findings;
    const source = secretsKeySource(context.configuration);
    // Reported once, not for each signer.
    const opened = findings.filter((finding) => !isLocked(finding));
    return [secretsKeyFinding(findings, stored, source), ...opened];
  });
}

function noSigner(operatorUserId: string | undefined): Finding {
  if (operatorUserId === undefined) {
    return findingsOf('signers', '').warn(
      'none stored yet',
      'Pair one: republish signer add <operator> --bunker (or --local).',
    );
  }
  return findingsOf('signer', operatorUserId).fail(
    'has no signer',
    whyFor('SignerNotConfigured', operatorUserId),
  );
}

async function checkEach(
  context: Omit<SignerContext, 'operatorUserId'>,
  signers: CurrentSigner[],
): Promise<Finding[]> {
  const { configuration } = context;
  const limiter = new Limiter(AT_ONCE);
  const ended = new AbortController();
  const bounded = {
    ...configuration,
    bunkerTimeoutMs: Math.min(configuration.bunkerTimeoutMs, MAX_ANSWER_MS),
    approvalTimeoutMs: Math.min(configuration.approvalTimeoutMs, MAX_ANSWER_MS),
  };
  const findings = await Promise.all(
    signers.map(async (signer): Promise<Finding> => {
      const { operatorUserId } = signer;
      const asked = limiter.run(
        () => checkOne({ ...context, configuration: bounded, operatorUserId }),
        ended.signal,
      );
      asked.catch(() => undefined);
      return (
        (await within(asked, ALL_MS)) ??
        findingsOf('signer', operatorUserId).warn(
          'was not asked: there was no time left',
          forOperator('Ask it alone: republish doctor --operator <operator>', operatorUserId),
        )
      );
    }),
  );
  ended.abort();
  return findings;
}

const CANNOT_BE_OPENED = 'its stored key does not open with this secrets key';

async function checkOne(context: SignerContext): Promise<Finding> {
  const { operatorUserId } = context;
  const { ok, fail } = findingsOf('signer', operatorUserId);
  try {
    const { kind, from, pubkey, accountPubkey, matchesAccount } = await askCurrentSigner(context);
    const named = from === 'lnbits' ? `LNbits' own signer (${kind})` : `the ${kind} signer`;
    // nsecbunkerd answers every client with its key. More requests would use up what LNbits needs.
    const unproven = kind === 'lnbits-bunker' ? '; whether it may encrypt and sign was not asked' : '';
    if (matchesAccount) return ok(`${named} answers, and its key is the account's${unproven}`);
    const account =
      accountPubkey === null
        ? 'LNbits has no such account with a public key: is LNBITS_DATABASE_URL right?'
        : `the account's public key is ${accountPubkey}`;
    return fail(`${named} signs as ${pubkey}, ${account}`, whyFor('SignerPubkeyMismatch', operatorUserId));
  } catch (thrown) {
    if (!(thrown instanceof RepublishError)) throw thrown;
    const { type, remedy } = thrown;
    const message = type === 'SignerUnlockFailed' ? CANNOT_BE_OPENED : thrown.message;
    return fail(message, whyFor(type, operatorUserId, remedy));
  }
}

function isLocked({ type }: Finding): boolean {
  return type === 'SignerUnlockFailed';
}

/** A failure whose remedy names the commands for this operator. */
function whyFor(type: FailureType, operatorUserId: string | undefined, remedy = remedyFor(type)) {
  return { type, remedy: forOperator(remedy, operatorUserId) };
}

/** How many operators with a locked key are named. */
const MAX_NAMED = 5;

/** If one key does not open, that key may be lost. If none opens, the secrets key is another one. */
function secretsKeyFinding(findings: Finding[], signers: number, source: string): Finding {
  const locked = findings.filter(isLocked).map(({ subject }) => subject);
  const { ok, fail } = findingsOf('secrets key', source);
  const [only, ...others] = locked;
  if (only === undefined)
    return ok(`opens ${signers === 1 ? 'the stored signer' : `all ${signers} stored signers`}`);
  const more = locked.length > MAX_NAMED ? ` and ${locked.length - MAX_NAMED} more` : '';
  const whose = `that of ${locked.slice(0, MAX_NAMED).join(', ')}${more}`;
  const isAnotherKey = locked.length === signers;
  const opens =
    signers === 1
      ? `does not open the stored signer, ${whose}`
      : isAnotherKey
        ? `opens none of the ${signers} stored signers`
        : `opens ${signers - locked.length} of ${signers} stored signers, and not ${whose}`;
  return fail(
    isAnotherKey ? `${opens}: it is another key than the one they were added under` : opens,
    whyFor('SignerUnlockFailed', others.length === 0 ? only : undefined),
  );
}
