import { sizeOfDocument } from '../../activities/steps/relay-objections';
import type { Configuration } from '../../configuration/schema';
import { type DocumentType, tagsOf } from '../../documents/document-type';
import { quorumSize } from '../../rules/quorum';
import type { RelayFacts } from '../relay-probe';
import { type Finding, findingsOf } from './finding';

/** A smaller difference counts as right. */
const CLOCK_WARN_MS = 30_000;
/** How far ahead of its clock a relay accepts a date, if it does not say so itself (strfry's default). */
const DEFAULT_MAX_AHEAD_S = 900;

/**
 * Checks each document relay: can it be reached, what are its limits, does its clock agree with this host's?
 *
 * @param facts what is known of them
 */
export function checkRelays(
  configuration: Configuration,
  documentTypes: readonly DocumentType[],
  facts: readonly RelayFacts[],
): Finding[] {
  return [
    ...facts.flatMap((relay) => findingsOfRelay(relay, configuration, documentTypes)),
    quorumFinding(facts, quorumSize(configuration.quorum, facts.length)),
  ];
}

function quorumFinding(facts: readonly RelayFacts[], required: number): Finding {
  const { ok, fail } = findingsOf('relay', 'quorum');
  const reachable = facts.filter((relay) => relay.reachable).length;
  const unknown = facts.filter((relay) => relay.isUnknown).length;
  const needed = `${required} of ${facts.length} must hold a document`;
  if (reachable < required) {
    return fail(`${needed}, ${reachable} ${reachable === 1 ? 'is' : 'are'} reachable: no run can end well`, {
      type: 'RelayQuorumNotReached',
      remedy:
        'Mend the relays above, name others in REPUBLISH_RELAYS, or lower REPUBLISH_QUORUM; then restart the workers.',
    });
  }
  if (reachable - unknown < required)
    return fail(`${needed}, and of ${unknown} it is unknown whether they let anybody in`, {
      remedy: TELL_WHO_ASKS,
    });
  return ok(`${needed}, ${reachable} are reachable`);
}

const TELL_WHO_ASKS =
  "To tell it who asks: republish doctor --operator <operator> --auth. The operator's signer is asked to " +
  'sign that (kind 22242), and may ask a person.';

function findingsOfRelay(
  facts: RelayFacts,
  { maxStateBytes }: Configuration,
  documentTypes: readonly DocumentType[],
): Finding[] {
  const { ok, warn, fail } = findingsOf('relay', facts.relay);
  if (!facts.reachable) {
    return [
      fail(`cannot be reached: ${facts.problem}`, {
        remedy:
          facts.remedy ??
          'Check its URL in REPUBLISH_RELAYS, and from this host its name, port and certificate.',
      }),
    ];
  }
  const found: Finding[] = [];
  const clock = clockFinding(facts);
  if (clock !== undefined) found.push(clock);
  const tooSmall = smallerThanState(facts, maxStateBytes, documentTypes);
  if (tooSmall !== undefined) {
    found.push(
      warn(
        tooSmall,
        'Documents above that fail on it: raise its limit, or lower REPUBLISH_MAX_STATE_BYTES so that ' +
          'they are named before a run.',
      ),
    );
  }
  if (facts.restricted) {
    found.push(
      warn(
        'says that it takes events only of those it knows or who have paid',
        "Have the operators' keys admitted there, or use another relay.",
      ),
    );
  }
  if (facts.isUnknown) found.push(warn(`unknown: ${facts.problem}`, TELL_WHO_ASKS));
  else if (facts.problem !== undefined) {
    found.push(
      fail(`takes connections, and ${facts.problem}`, {
        remedy: 'A document is proved by reading it back: use a relay that may be read.',
      }),
    );
  }
  return found.length > 0 ? found : [ok(summary(facts))];
}

function clockFinding({ relay, clock, limits }: RelayFacts): Finding | undefined {
  const behindMs = clock?.aheadMs ?? 0;
  if (clock === undefined || Math.abs(behindMs) < CLOCK_WARN_MS + clock.uncertaintyMs) return undefined;
  const { warn, fail } = findingsOf('relay', relay);
  const seconds = Math.round(Math.abs(behindMs) / 1000);
  const direction = behindMs > 0 ? 'behind' : 'ahead of';
  const remedy =
    'Set its clock by NTP, or tell the person who runs it. Where others differ as it does (the line "clock"), ' +
    'set that of this host.';
  const takesAheadS = limits?.maxAheadS ?? DEFAULT_MAX_AHEAD_S;
  return behindMs > 0 && seconds >= takesAheadS
    ? fail(
        `its clock is ${seconds} s behind this host's: it takes documents of today for documents of the future, and refuses them`,
        { remedy },
      )
    : warn(`its clock is ${seconds} s ${direction} this host's`, remedy);
}

/** Any valid public key (the point G of the curve), to measure tags that contain one. */
const ANY_KEY = '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798';

function smallerThanState(
  { limits }: RelayFacts,
  maxStateBytes: number,
  documentTypes: readonly DocumentType[],
): string | undefined {
  const sizes = documentTypes.map((type) => sizeOfDocument(tagsOf(type, ANY_KEY), maxStateBytes));
  const contentChars = Math.max(...sizes.map((size) => size.contentChars));
  const messageBytes = Math.max(...sizes.map((size) => size.messageBytes));
  if (limits?.maxMessageBytes !== undefined && limits.maxMessageBytes < messageBytes)
    return (
      `takes messages of ${limits.maxMessageBytes} bytes, a state of REPUBLISH_MAX_STATE_BYTES ` +
      `(${maxStateBytes}) makes one of ${messageBytes}`
    );
  if (limits?.maxContentChars !== undefined && limits.maxContentChars < contentChars)
    return (
      `takes ${limits.maxContentChars} characters of content, a state of REPUBLISH_MAX_STATE_BYTES ` +
      `(${maxStateBytes}) makes ${contentChars}`
    );
  return undefined;
}

function summary({ gateway, limits, clock, readsNeedAuthentication }: RelayFacts): string {
  if (gateway) return 'the gateway answers; what is behind it does not show itself';
  const parts = [
    limits === undefined
      ? 'no information document (NIP-11): its limits show when it refuses'
      : 'limits known',
    ...(clock === undefined ? [] : [`clock ${Math.abs(Math.round(clock.aheadMs / 1000))} s apart`]),
    ...(readsNeedAuthentication || limits?.authRequired === true
      ? ['requires authentication (NIP-42): bunkers must allow sign_event:22242']
      : []),
  ];
  return `reachable; ${parts.join('; ')}`;
}
