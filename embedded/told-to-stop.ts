const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The message of a long-running command when it is ready. With the pid: in the background there is no Ctrl-C.
 */
export function runningWords(): string {
  return `running (pid ${process.pid}); Ctrl-C or kill ${process.pid} stops everything`;
}

/**
 * Listens for the signals of a person or a supervisor. Until `forget()` no signal ends the process: a second
 * Ctrl-C must not leave servers behind.
 */
export function untilToldToStop(): { signal: Promise<NodeJS.Signals>; forget(): void } {
  let tell: (signal: NodeJS.Signals) => void = () => undefined;
  const signal = new Promise<NodeJS.Signals>((resolve) => (tell = resolve));
  for (const name of SIGNALS) process.on(name, tell);
  return { signal, forget: () => SIGNALS.forEach((name) => process.removeListener(name, tell)) };
}
