import { z } from 'zod';
import { parsePostgresUrl } from '../database/postgres-url';
import { parsedUrl } from '../rules/url';

/* What the values of the configuration look like, each with the message for one that does not. */

export const identifier = z.string().regex(/^[A-Za-z_][A-Za-z0-9_$]*$/, 'must be a plain SQL identifier');

/** Where rows are read: a table, or SQL with `$1`. */
export const querySource = z.union([
  z.strictObject({ table: identifier, schema: identifier.optional() }),
  z.strictObject({
    sql: z.string().includes('$1', { message: 'the SQL must use $1 (operator or machine id)' }),
  }),
]);

/** The same; SQL without `$1` returns all rows. */
export const listSource = z.union([
  z.strictObject({ table: identifier, schema: identifier.optional() }),
  z.strictObject({ sql: z.string().min(1) }),
]);

/** In front of the URL of LNbits' nostrclient, which is not a relay but a gateway to several relays. */
const GATEWAY_PREFIX = /^nostrclient\+/;
const websocketOf = (relay: string): string => relay.replace(GATEWAY_PREFIX, '');

export const relayUrl = z
  .string()
  .trim()
  .refine(
    (text) => /^(ws|wss):\/\/[^\s/]+/.test(websocketOf(text)) && parsedUrl(websocketOf(text)) !== undefined,
    'must be a ws:// or wss:// URL',
  )
  .refine((text) => !/^[a-z]+:\/\/[^/]*@/.test(websocketOf(text)), 'must not hold a user name or password')
  .refine(
    (text) => !GATEWAY_PREFIX.test(text) || /\/nostrclient\/api\/v1\/[^\s/?#]+$/.test(text),
    'must be nostrclient+wss://<host>/nostrclient/api/v1/<ws_id>',
  )
  // Used as a relay, the gateway never answers with OK, and its path, which is a secret, would be signed into
  // answers to challenges (NIP-42).
  .refine(
    (text) => !/^wss?:.*\/nostrclient\/api\/v1\//.test(text),
    'is a nostrclient gateway: write nostrclient+wss://... (or nostrclient+ws://...)',
  );

/** A relay of a bunker: never a gateway. */
export const bunkerRelayUrl = relayUrl.refine(
  (text) => !GATEWAY_PREFIX.test(text),
  'must be a relay, not a nostrclient gateway',
);

/** wss://Relay.example/ and wss://relay.example are the same relay, which must not count twice. */
export function spelling(relay: string): string {
  const websocket = websocketOf(relay);
  return parsedUrl(websocket)?.href ?? relay;
}

/** Text that `parse` accepts. The message never quotes the text, since it may contain a password. */
export const parsedBy = (parse: (text: string) => unknown): z.ZodString =>
  z.string().superRefine((text, context) => {
    try {
      parse(text);
    } catch (thrown) {
      context.addIssue({ code: 'custom', message: (thrown as Error).message });
    }
  });

/** `postgres://...` or `postgresql://...`. */
export const postgresUrl = parsedBy((text) => {
  if (!/^postgres(ql)?:\/\//.test(text)) throw new Error('must begin with postgres:// or postgresql://');
  parsePostgresUrl(text);
});

/** From `least` to a day. */
export const milliseconds = (least: number): z.ZodInt =>
  z
    .int()
    .min(least)
    .max(24 * 3600 * 1000);

/** host:port to listen on; an IPv6 address in brackets. Port 0 is any free port, which the log names. */
export const listenAddress = z
  .string()
  .regex(
    /^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/,
    'must be host:port, for example 127.0.0.1:9464 or 0.0.0.0:9464',
  )
  .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'has a port above 65535');

/** An address of http or https, without a user or password. */
export const httpUrl = z
  .string()
  .refine(
    (text) => /^https?:\/\//.test(text) && parsedUrl(text) !== undefined,
    'must be an http:// or https:// URL',
  )
  .refine((text) => !/^https?:\/\/[^/]*@/.test(text), 'must not hold a user name or password');
