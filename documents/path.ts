/** How far a path is shown: the rule behind it must stay in the message. */
const MAX_PATH_LENGTH = 200;

/**
 * Where in a state something is, as one would write it in JavaScript: `state.fees[2].max`; `row` for a whole
 * row. Keys are shown, values never.
 */
export function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'row';
  const text = path.map((step, index) => stepText(step, index === 0)).join('');
  return text.length <= MAX_PATH_LENGTH ? text : `…${text.slice(-MAX_PATH_LENGTH)}`;
}

function stepText(step: PropertyKey, isFirst: boolean): string {
  if (typeof step === 'number') return `[${step}]`;
  const key = String(step);
  if (/^[A-Za-z_$][\w$]{0,63}$/.test(key)) return isFirst ? key : `.${key}`;
  return `[${JSON.stringify(key.length <= 64 ? key : `${key.slice(0, 64)}…`)}]`;
}
