import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';

/** A proxy in front of Temporal that denies some calls and passes on all others. */
export interface DenyingTemporal {
  address: string;
  stop(): Promise<void>;
}

const PERMISSION_DENIED = '7';

/**
 * @param upstream `host:port` of a Temporal without TLS
 * @param denies told the method of each call and how many of that method came before
 */
export async function startDenyingTemporal(
  upstream: string,
  denies: (method: string, before: number) => boolean,
): Promise<DenyingTemporal> {
  const behind = http2.connect(`http://${upstream}`);
  const counts = new Map<string, number>();
  const sessions = new Set<http2.Http2Session>();
  const server = http2.createServer();
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    const method = String(headers[':path']).split('/').at(-1) ?? '';
    const before = counts.get(method) ?? 0;
    counts.set(method, before + 1);
    if (denies(method, before)) {
      const status = { 'grpc-status': PERMISSION_DENIED, 'grpc-message': 'Request unauthorized.' };
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...status }, { endStream: true });
      return;
    }
    const call = behind.request(headers);
    call.on('error', () => stream.close(http2.constants.NGHTTP2_CANCEL));
    stream.on('close', () => call.close());
    stream.pipe(call);
    call.on('response', (answer, flags) => {
      const endStream = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      stream.respond(answer, { endStream, waitForTrailers: !endStream });
      if (!endStream) call.pipe(stream);
    });
    let trailers: http2.IncomingHttpHeaders = {};
    call.on('trailers', (told) => (trailers = told));
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    async stop() {
      for (const session of sessions) session.destroy();
      behind.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
