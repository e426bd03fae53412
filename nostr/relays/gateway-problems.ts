import { HandshakeRefused } from './handshake';

/**
 * What is wrong with a gateway, and what a person has to do in LNbits. Neither holds its URL: the ws_id is a
 * secret.
 */
export class GatewayProblem extends Error {
  override readonly name = 'GatewayProblem';

  constructor(
    /** One short sentence: it is shown next to the problems of other relays. */
    message: string,
    readonly remedy: string,
  ) {
    super(message);
  }
}

const CONNECT_AT_ONCE =
  'in LNbits open Nostr Client, and delete and add the relay, or switch the extension off and on';

/** The gateway takes questions, and none of its relays answers. */
export function silentGateway(): GatewayProblem {
  return new GatewayProblem(
    'no relay behind the gateway answers: LNbits connects a lost one after 60 s × its errors; ' +
      CONNECT_AT_ONCE,
    'Check in LNbits, on the page of Nostr Client, which relays are connected, and their errors. ' +
      'A lost relay is reconnected automatically after 60 s times its errors, at most an hour; ' +
      `for less, ${CONNECT_AT_ONCE}.`,
  );
}

/** Explains an HTTP status of a refused handshake by what LNbits means with it. */
export function gatewayProblem(error: Error): Error {
  switch (error instanceof HandshakeRefused ? error.status : undefined) {
    case 403:
      // LNbits answers 403 to a wrong ws_id, to a setting that is off, and to an unknown path.
      return new GatewayProblem(
        'the gateway refuses its ws_id (HTTP 403): it is wrong, or switched off in Nostr Client ' +
          '(private_ws; public_ws for the ws_id "relay")',
        'Check the ws_id in REPUBLISH_RELAYS, and in LNbits the settings on the page of Nostr Client ' +
          '(open it once: they exist from then on): private_ws lets in a private ws_id, ' +
          'public_ws the ws_id "relay". ' +
          'How to get the private one: docs/nostrclient.md.',
      );
    case 404:
      return new GatewayProblem(
        'the gateway is not there (HTTP 404): Nostr Client is switched off in LNbits, ' +
          'or the URL leads to something else',
        'Switch the extension Nostr Client on in LNbits, ' +
          'and check host and path of its URL in REPUBLISH_RELAYS.',
      );
    default:
      return error;
  }
}
