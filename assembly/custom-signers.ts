import type { Configuration } from '../configuration/schema';
import { RepublishError, scopeOf } from '../contract/failures';
import type { Telemetry } from '../contract/telemetry';
import { approvalPage } from '../rules/approval-page';
import { requireSameEvent } from '../nostr/bunker/same-event';
import { Limiter } from '../async/limiter';
import { looksLikeNip44 } from '../nostr/nip44';
import { publicKeyHex } from '../nostr/keys';
import type { CustomSigner, CustomSignerFinder, SignerProvider } from '../nostr/signers/custom';
import type { Signer, SignerCall } from '../nostr/signers/signer';
import { fieldOf } from '../documents/import-file';
import { type Deadline, namedFailure, TooLate, withDeadline } from './custom-code';

const DEFAULT_CONCURRENCY = 4;
const MAX_KIND_LENGTH = 32;

type Timeouts = Pick<Configuration, 'bunkerTimeoutMs' | 'approvalTimeoutMs'>;

/**
 * Makes foreign signers safe for a run: every call ends in time, every failure has a type of the catalogue,
 * and every answer is checked.
 *
 * @param problems gets what is wrong with a provider, which is then left out
 */
export function findersOf(
  providers: readonly SignerProvider[],
  timeouts: Timeouts,
  problems: string[],
): CustomSignerFinder[] {
  const kinds = new Set<string>();
  return providers.flatMap((provider, index) => {
    const problem = problemOf(provider, kinds);
    if (problem !== undefined) {
      problems.push(`signers[${index}]: ${problem}`);
      return [];
    }
    kinds.add(provider.kind);
    return [finderOf(provider, timeouts)];
  });
}

function problemOf(provider: unknown, taken: ReadonlySet<string>): string | undefined {
  if (typeof provider !== 'object' || provider === null) return 'a provider must be an object';
  const [kind, find] = [fieldOf(provider, 'kind'), fieldOf(provider, 'find')];
  const concurrency = fieldOf(provider, 'concurrency') ?? 1;
  const isWord = typeof kind === 'string' && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(kind);
  if (!isWord || kind.length > MAX_KIND_LENGTH)
    return (
      `"kind" must be lower-case words joined by hyphens, at most ${MAX_KIND_LENGTH} characters, ` +
      `such as "aws-kms"`
    );
  if (kind === 'local' || kind === 'bunker' || kind.startsWith('lnbits-'))
    return `"kind" may not be "${kind}", which is one of this package; give it another name`;
  if (taken.has(kind)) return `two providers have the kind "${kind}"; give one of them another name`;
  if (typeof find !== 'function') return `the provider "${kind}" has no function "find"`;
  if (!Number.isInteger(concurrency) || Number(concurrency) < 1)
    return `"concurrency" of the provider "${kind}" must be a whole number from 1`;
  return undefined;
}

function finderOf(provider: SignerProvider, timeouts: Timeouts): CustomSignerFinder {
  const { kind, concurrency = DEFAULT_CONCURRENCY } = provider;
  const limiter = new Limiter(concurrency);
  return {
    kind,
    async find(owner): Promise<CustomSigner | undefined> {
      const { operatorPubkey } = owner;
      // A copy: the provider may change its argument.
      const signer = await withDeadline(timeouts.bunkerTimeoutMs, async () =>
        provider.find({ ...owner }),
      ).catch((thrown: unknown) => {
        throw failureOf(thrown, `the ${kind} provider could not look for a signer`);
      });
      if (signer === undefined || signer === null) return undefined;
      const missing = (['getPublicKey', 'nip44Encrypt', 'signEvent'] as const).filter(
        (name) => typeof fieldOf(signer, name) !== 'function',
      );
      if (missing.length > 0)
        throw new RepublishError(
          'SignerNotConfigured',
          `the ${kind} provider gives a signer without ${missing.join(', ')}`,
          {
            remedy:
              `Correct the provider "${kind}": its signers need getPublicKey, nip44Encrypt ` +
              `and signEvent.`,
          },
        );
      return {
        kind,
        pubkey: operatorPubkey,
        open: (telemetry) => new CheckedSigner(kind, signer, limiter, timeouts, telemetry),
      };
    },
  };
}

/** A provider's signer, with its answers checked. */
class CheckedSigner implements Signer {
  constructor(
    private readonly kind: string,
    private readonly signer: Signer,
    private readonly limiter: Limiter,
    private readonly timeouts: Timeouts,
    private readonly telemetry: Telemetry | undefined,
  ) {}

  async getPublicKey(call?: SignerCall): Promise<string> {
    const answer: unknown = await this.#ask('get_public_key', call, (its) => this.signer.getPublicKey(its));
    const pubkey = typeof answer === 'string' ? publicKeyHex(answer) : undefined;
    if (pubkey === undefined) throw this.#wrong('get_public_key', 'is no public key');
    return pubkey;
  }

  async nip44Encrypt(peer: string, plaintext: string, call?: SignerCall): Promise<string> {
    const answer: unknown = await this.#ask('nip44_encrypt', call, (its) =>
      this.signer.nip44Encrypt(peer, plaintext, its),
    );
    if (typeof answer !== 'string' || !looksLikeNip44(answer, Buffer.byteLength(plaintext, 'utf8')))
      throw this.#wrong('nip44_encrypt', 'is no NIP-44 ciphertext of the text');
    return answer;
  }

  async signEvent(event: Parameters<Signer['signEvent']>[0], call?: SignerCall) {
    const answer: unknown = await this.#ask('sign_event', call, (its) =>
      // A copy: the signer may change its argument.
      this.signer.signEvent(structuredClone(event), its),
    );
    let text: string | undefined;
    try {
      text = JSON.stringify(answer);
    } catch {
      // A BigInt, a cycle, or a getter that throws, with a message of its own.
      throw this.#wrong('sign_event', 'is not JSON');
    }
    return requireSameEvent(event, text ?? 'null', `the ${this.kind} signer`);
  }

  /** Waits for a free place, and then for the answer, as long as a bunker may take. */
  async #ask<T>(
    what: string,
    { signal, turn = signal, rank, onApproval, onAsked }: SignerCall = {},
    ask: (call: SignerCall) => Promise<T>,
  ): Promise<T> {
    return this.limiter.run(
      async () => {
        onAsked?.(0);
        let hasEnded = false;
        let page: string | undefined;
        let isAwaited = false;
        // As of a bunker: the first page counts, and it gives a person time once.
        const told = (url: unknown, deadline: Deadline): void => {
          if (hasEnded) return;
          if (url === undefined || url === null) {
            if (isAwaited) onApproval?.(undefined);
            isAwaited = false;
          } else if (page === undefined && typeof url === 'string') {
            page = approvalPage(url);
            if (page === undefined) return;
            isAwaited = true;
            deadline.extendTo(this.timeouts.approvalTimeoutMs);
            onApproval?.(page);
          }
        };
        try {
          const answer = await withDeadline(
            this.timeouts.bunkerTimeoutMs,
            (deadline) =>
              ask({
                signal: deadline.signal,
                onApproval: (url) => told(url, deadline),
              }),
            signal,
          );
          this.telemetry?.customSignerAsked(this.kind, what, true);
          return answer;
        } catch (thrown) {
          this.telemetry?.customSignerAsked(this.kind, what, false);
          signal?.throwIfAborted();
          const failure = failureOf(thrown, `the ${this.kind} signer failed in ${what}`);
          throw isAwaited && thrown instanceof TooLate
            ? new RepublishError('SignerApprovalPending', `${failure.message}, and a person has to approve`)
            : failure;
        } finally {
          hasEnded = true;
          onApproval?.(undefined);
        }
      },
      turn,
      rank,
    );
  }

  #wrong(what: string, is: string): RepublishError {
    return new RepublishError(
      'SignerReturnedWrongEvent',
      `the ${this.kind} signer's answer to ${what} ${is}`,
    );
  }
}

/** An unknown error counts as passing. */
function failureOf(thrown: unknown, what: string): RepublishError {
  if (thrown instanceof TooLate) return new RepublishError('SignerTimeout', `${what}: ${thrown.message}`);
  return namedFailure(thrown, (type) => scopeOf(type) === 'signer', 'SignerUnreachable', what);
}
