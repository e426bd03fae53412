/**
 * Stands for a KMS or an HSM: the only process that has the operators' keys. It answers three questions over
 * HTTP for clients with the token, and never gives a key away.
 *
 *     SIGNING_KEYS=./keys.json SIGNING_TOKEN=... node signing-service.mjs
 *
 * `keys.json` has the secret key of each operator: { "<operator user id>": "<64 hex characters>" }. A real
 * service keeps the keys in hardware, logs every request, and has a policy for each client.
 */
import { timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { finalizeEvent, getPublicKey, nip44 } from 'nostr-tools';

const { SIGNING_KEYS = './keys.json', SIGNING_TOKEN = '', SIGNING_PORT = '8300' } = process.env;
if (SIGNING_TOKEN.length < 16) throw new Error('SIGNING_TOKEN must have at least 16 characters');
const keys = new Map(
  Object.entries(JSON.parse(readFileSync(SIGNING_KEYS, 'utf8'))).map(([operator, hex]) => [
    operator,
    Uint8Array.from(Buffer.from(hex, 'hex')),
  ]),
);

const questions = {
  'public-key': (key) => getPublicKey(key),
  'nip44-encrypt': (key, { peer, plaintext }) =>
    nip44.encrypt(plaintext, nip44.getConversationKey(key, peer)),
  // Only documents. To answer a relay that requires authentication, kind 22242 must be allowed, too.
  'sign-event': (key, { kind, created_at, tags, content }) =>
    kind === 30078 ? finalizeEvent({ kind, created_at, tags, content }, key) : undefined,
};

const server = createServer(async (request, response) => {
  const [, operator = '', question = ''] = new URL(request.url, 'http://service').pathname.split('/');
  const key = keys.get(decodeURIComponent(operator));
  const reply = (status, body) => response.writeHead(status).end(JSON.stringify(body));
  if (!isAllowed(request.headers.authorization)) return reply(401, {});
  if (key === undefined || !Object.hasOwn(questions, question)) return reply(404, {});
  try {
    const answer = questions[question](key, await bodyOf(request));
    if (answer === undefined) return reply(403, {});
    reply(200, { answer });
  } catch {
    reply(400, {});
  }
});
server.listen(Number(SIGNING_PORT), '127.0.0.1', () =>
  console.log(`the signing service listens at http://127.0.0.1:${server.address().port}`),
);
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(0));

function isAllowed(header = '') {
  const [given, wanted] = [Buffer.from(header), Buffer.from(`Bearer ${SIGNING_TOKEN}`)];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

async function bodyOf(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString('utf8') || '{}');
}
