import { soakTest } from '../support/soak';

const NAME =
  '38 to 57: bunkers and relays as they are in any mixture, healed at the end: every document stands, and the invariants hold';

soakTest(NAME, { rows: '38-57', seeds: 5 }, 400_000);
