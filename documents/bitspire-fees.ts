import Big from 'big.js';
import { z } from 'zod';
import { RepublishError } from '../contract/failures';
import { defineDocumentType, type StateRow } from './document-type';
import { carriesExactly } from './exact-number';

/** The highest fee that machines accept, as a fraction of the principal: super and operator fee together. */
const MAX_FEE_FRACTION = new Big('0.15');
/** How far a total may differ from the sum of its components: the machines' own rule. */
const SUM_TOLERANCE = new Big('0.000001');

const total = z.number().min(0).max(MAX_FEE_FRACTION.toNumber());
const DIRECTIONS = ['cash_in', 'cash_out'] as const;
type Direction = (typeof DIRECTIONS)[number];

/** Who gets a fee, and the table that has it. */
const TABLES = { super: 'super_config', operator: 'dca_machines' } as const;
type Payee = keyof typeof TABLES;

const components = z.looseObject({
  super_cash_in: z.number(),
  super_cash_out: z.number(),
  operator_cash_in: z.number(),
  operator_cash_out: z.number(),
});

/**
 * The fees of a machine, schema version 1 of the extension (locked 2026-06-01), as fractions of the
 * principal. Shown here on two lines:
 * `{"schema_version":1,"cash_in_fee_fraction":0.0633,"cash_out_fee_fraction":0.1077,"components":{`
 * `"super_cash_in":0.03,"super_cash_out":0.03,"operator_cash_in":0.0333,"operator_cash_out":0.0777}}`.
 *
 * From `dca_machines` and the one row of `super_config`. The sums are exact decimals: with floats, 0.1 + 0.05
 * would be 0.15000000000000002, which is above the cap; here it is 0.15.
 */
export const bitspireFees = defineDocumentType({
  type: 'bitspire-fees',
  source: {
    sql: `SELECT machine.id AS machine_id,
       super.super_cash_in_fee_fraction, super.super_cash_out_fee_fraction,
       machine.operator_cash_in_fee_fraction, machine.operator_cash_out_fee_fraction
  FROM {dca_machines} AS machine LEFT JOIN {super_config} AS super ON 1 = 1`,
  },
  schema: z
    .looseObject({
      schema_version: z.int().min(1),
      cash_in_fee_fraction: total,
      cash_out_fee_fraction: total,
      components: components.optional(),
    })
    .superRefine((fees, context) => {
      for (const direction of DIRECTIONS) {
        if (agrees(direction, fees[`${direction}_fee_fraction`], fees.components)) continue;
        context.addIssue({
          code: 'custom',
          path: [`${direction}_fee_fraction`],
          message: 'is not the sum of its components',
        });
      }
    }),
  assemble: (rows) => {
    const [row] = rows;
    if (row === undefined || rows.length > 1) {
      throw new RepublishError(
        'StateInvalid',
        'the query gives more than one row of fees for the machine: super_config must have exactly one row',
      );
    }
    return feesOf(row);
  },
});

function agrees(direction: Direction, sum: number, parts: z.infer<typeof components> | undefined): boolean {
  if (parts === undefined) return true;
  const added = new Big(parts[`super_${direction}`]).plus(parts[`operator_${direction}`]);
  return added.minus(sum).abs().lt(SUM_TOLERANCE);
}

function feesOf(row: StateRow): unknown {
  if (row.super_cash_in_fee_fraction === null && row.super_cash_out_fee_fraction === null) {
    throw new RepublishError('SuperConfigMissing', 'super_config has no row');
  }
  const superIn = fraction(row, 'super', 'cash_in');
  const superOut = fraction(row, 'super', 'cash_out');
  const operatorIn = fraction(row, 'operator', 'cash_in');
  const operatorOut = fraction(row, 'operator', 'cash_out');
  const cashIn = superIn.plus(operatorIn);
  const cashOut = superOut.plus(operatorOut);
  requireInRange({ cash_in: cashIn, cash_out: cashOut });
  return {
    schema_version: 1,
    cash_in_fee_fraction: exactNumber(cashIn, 'cash_in'),
    cash_out_fee_fraction: exactNumber(cashOut, 'cash_out'),
    components: {
      super_cash_in: superIn.toNumber(),
      super_cash_out: superOut.toNumber(),
      operator_cash_in: operatorIn.toNumber(),
      operator_cash_out: operatorOut.toNumber(),
    },
  };
}

/** Table and column of a fee, as a message names it: LNbits' own names, also where a query renames them. */
function placeOf(whose: Payee, direction: Direction): string {
  return `${TABLES[whose]}.${columnOf(whose, direction)}`;
}

/** The two columns whose sum a machine charges. */
function bothPlaces(direction: Direction): string {
  return `${placeOf('super', direction)} and ${placeOf('operator', direction)}`;
}

function columnOf(whose: Payee, direction: Direction): string {
  return `${whose}_${direction}_fee_fraction`;
}

/**
 * A fee column. SQLite may return a NUMERIC as text. A number has the digits of its shortest text, which are
 * those of the database.
 */
function fraction(row: StateRow, whose: Payee, direction: Direction): Big {
  const value = row[columnOf(whose, direction)];
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || !/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)) {
    throw new RepublishError('StateInvalid', `${placeOf(whose, direction)}: must be a number such as 0.03`);
  }
  if (!carriesExactly(text)) {
    throw new RepublishError(
      'StateInvalid',
      `${placeOf(whose, direction)}: a JSON number does not carry this value exactly`,
    );
  }
  return new Big(text);
}

function requireInRange(totals: Record<Direction, Big>): void {
  const problems = DIRECTIONS.flatMap((direction) => {
    if (totals[direction].gt(MAX_FEE_FRACTION)) {
      return (
        `${direction}: ${bothPlaces(direction)} together are above the cap of ` +
        `${MAX_FEE_FRACTION.toFixed()}, so the machine would reject the document`
      );
    }
    return totals[direction].lt(0) ? `${direction}: ${bothPlaces(direction)} together are below 0` : [];
  });
  if (problems.length > 0) throw new RepublishError('StateInvalid', problems.join('; '));
}

function exactNumber(sum: Big, direction: Direction): number {
  const text = sum.toFixed();
  if (!carriesExactly(text)) {
    throw new RepublishError(
      'StateInvalid',
      `${direction}: a JSON number does not carry the sum of ${bothPlaces(direction)} exactly`,
    );
  }
  return Number(text);
}
