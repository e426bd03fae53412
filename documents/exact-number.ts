/**
 * A decimal number in one form only: `0.10`, `1e-1` and `0.1` are all `{ negative: false, digits: '1',
 * exponent: -1 }`.
 */
interface Decimal {
  negative: boolean;
  /** Without zeros at either end; empty for zero. */
  digits: string;
  /** Power of ten of the last digit. */
  exponent: number;
}

/**
 * Whether a double, into which a machine reads a JSON number, has the decimal value of this text. The value
 * of a double is the shortest text that JavaScript prints for it: 0.1 is exact, 0.1000000000000000055 is not.
 *
 * @param text a number as JSON spells it
 */
export function carriesExactly(text: string): boolean {
  const number = Number(text);
  if (!Number.isFinite(number)) return false;
  const asWritten = decimalOf(text);
  const asCarried = decimalOf(String(number));
  if (asWritten.digits === '') return true;
  return (
    asWritten.digits === asCarried.digits &&
    asWritten.exponent === asCarried.exponent &&
    asWritten.negative === asCarried.negative
  );
}

/**
 * The exponent is compared as a number and no zeros are written out, so that 1e999999999 is cheap. Digits are
 * cut in a loop: a regular expression for trailing zeros takes quadratic time when many zeros are in the
 * middle.
 */
function decimalOf(text: string): Decimal {
  const negative = text.startsWith('-');
  const [mantissa = '', power = '0'] = text.slice(negative ? 1 : 0).split(/e/i);
  const [whole = '', fraction = ''] = mantissa.split('.');
  const all = whole + fraction;
  let start = 0;
  while (all[start] === '0') start += 1;
  let end = all.length;
  while (end > start && all[end - 1] === '0') end -= 1;
  return {
    negative,
    digits: all.slice(start, end),
    exponent: Number(power) - fraction.length + (all.length - end),
  };
}
