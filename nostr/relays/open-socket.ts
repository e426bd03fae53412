import WebSocket from 'ws';
import { onAbort } from '../../async/wait';
import { ensureError } from '../../contract/failures';
import { lookupWithin, requireAllowedUrl } from './address-rules';
import { handshakeRefused } from './handshake';
import type { SocketOptions } from './socket-options';
import { parsedUrl } from '../../rules/url';

const DEFAULT_MAX_MESSAGE_BYTES = 1024 * 1024;

/**
 * Opens a websocket to a relay. Rejects with the network's reason; the message never holds the URL's path.
 *
 * @param onOpen called within the `open` event: the first message can come at the same moment
 */
export async function openSocket<T>(
  { url, connectTimeoutMs, addressRules, maxMessageBytes }: SocketOptions,
  onOpen: (socket: WebSocket) => T,
  signal: AbortSignal | undefined,
): Promise<T> {
  signal?.throwIfAborted();
  // ws would repeat the URL in its message, and the path may hold a token.
  if (parsedUrl(url) === undefined) throw new Error('the relay URL is not valid');
  if (addressRules) requireAllowedUrl(url, addressRules);
  const socket = new WebSocket(url, {
    handshakeTimeout: connectTimeoutMs,
    maxPayload: maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    followRedirects: false,
    ...(addressRules && { lookup: lookupWithin(addressRules, url) }),
  });
  // handshakeTimeout begins with the request. A name server that does not answer comes before that.
  const timer = setTimeout(() => socket.terminate(), connectTimeoutMs + 500);
  const stop = onAbort(signal, () => socket.terminate());
  try {
    return await new Promise<T>((resolve, reject) => {
      socket.once('open', () => resolve(onOpen(socket)));
      socket.once('error', (error) => reject(ensureError(error)));
      socket.once('unexpected-response', (_, response) => reject(handshakeRefused(response)));
      socket.once('close', () => reject(new Error('connection closed before it was open')));
    });
  } catch (error) {
    // Terminating a socket that is still connecting emits one more error.
    socket.on('error', () => undefined);
    socket.terminate();
    throw error;
  } finally {
    clearTimeout(timer);
    stop();
  }
}
