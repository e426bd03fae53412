/**
 * Finds the operators' signers at a signing service (signing-service.mjs). `worker.mjs` gives it to a worker;
 * `signerProviders` in republish.config.json gives it to `republish worker` and to every command.
 */
import { RepublishError } from 'republish-operator-configs/worker';

const { SIGNING_SERVICE_URL = 'http://127.0.0.1:8300', SIGNING_TOKEN = '' } = process.env;

/** @type {import('republish-operator-configs/worker').SignerProvider} */
export default {
  kind: 'signing-service',
  // At most 8 requests are in flight. The others wait.
  concurrency: 8,
  async find({ operatorUserId }) {
    const ask = (question, body, signal) => askService(operatorUserId, question, body, signal);
    // Undefined: another provider, or LNbits, may have a signer.
    if ((await ask('public-key', {})) === undefined) return undefined;
    const known = async (question, body, call) => {
      const answer = await ask(question, body, call?.signal);
      if (answer !== undefined) return answer;
      throw new RepublishError('SignerRefused', 'the signing service has no key of this operator any more');
    };
    return {
      getPublicKey: (call) => known('public-key', {}, call),
      nip44Encrypt: (peer, plaintext, call) => known('nip44-encrypt', { peer, plaintext }, call),
      signEvent: (event, call) => known('sign-event', event, call),
    };
  },
};

/** @returns undefined if the service does not know the operator */
async function askService(operatorUserId, question, body, signal) {
  const response = await fetch(`${SIGNING_SERVICE_URL}/${encodeURIComponent(operatorUserId)}/${question}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SIGNING_TOKEN}` },
    body: JSON.stringify(body),
    // Aborts at the deadline, and when the run is cancelled.
    signal,
  }).catch(() => {
    // Retried, as long as a document may wait. No details: the message ends up in history and log.
    throw new RepublishError('SignerUnreachable', 'the signing service cannot be reached');
  });
  if (response.status === 404) return undefined;
  if (response.status === 429 || response.status >= 500)
    throw new RepublishError('SignerBusy', `the signing service answers ${response.status}`, {
      retryAfterMs: 5_000,
    });
  if (!response.ok)
    throw new RepublishError('SignerRefused', `the signing service answers ${response.status}`);
  return (await response.json()).answer;
}
