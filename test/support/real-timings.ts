/**
 * `REPUBLISH_TEST_REAL_TIMINGS=yes`: a few rows are played with the times of the field, which takes minutes
 * each. Otherwise times are scaled: `npm test` has no minutes.
 */
export const REAL = process.env.REPUBLISH_TEST_REAL_TIMINGS === 'yes';
