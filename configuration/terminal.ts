/** The values of `--color`. */
export const COLOUR_CHOICES = ['auto', 'always', 'never'] as const;
export type ColourChoice = (typeof COLOUR_CHOICES)[number];

/** What the environment says about the terminal. */
export interface TerminalConfiguration {
  /** From NO_COLOR (https://no-color.org) and FORCE_COLOR. `auto`: neither is set. */
  colour: ColourChoice;
  /** A terminal that cannot move its cursor (TERM=dumb), as inside some editors. */
  isDumb: boolean;
}

export function loadTerminalConfiguration(env: NodeJS.ProcessEnv = process.env): TerminalConfiguration {
  return { colour: colourOf(env), isDumb: env.TERM === 'dumb' };
}

/** NO_COLOR wins: a person sets it who cannot read colours. Tools that pass output on set FORCE_COLOR. */
function colourOf({ NO_COLOR: no, FORCE_COLOR: force }: NodeJS.ProcessEnv): ColourChoice {
  if (no !== undefined && no !== '') return 'never';
  if (force === undefined || force === '') return 'auto';
  return force === '0' || force === 'false' ? 'never' : 'always';
}

/** `npx`: a person typed it. `npm run <script>`: npm runs that. Undefined: npm did not start this process. */
export function calledBy(env: NodeJS.ProcessEnv = process.env): 'npx' | `npm run ${string}` | undefined {
  if (env['npm_command'] === 'exec') return 'npx';
  const script = env['npm_lifecycle_event'];
  return script === undefined ? undefined : `npm run ${script}`;
}
