/** Longest shown path: the rule after it must stay in the message. */
const MAX_PATH_LENGTH = 200;

/**
 * A place in a state, written as in JavaScript: `state.fees[2].max`; `row` for a whole row. It shows keys,
 * never values.
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
