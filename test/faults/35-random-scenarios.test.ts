import { soakTest } from '../support/soak';

const NAME = '35: faults in any mixture, healed at the end: every document stands, and the invariants hold';

soakTest(NAME, { rows: '35', seeds: 4 }, 400_000);
