import { betterSqlite3Folder, nodeHasSqlite } from './sqlite';

/** What compiles for a minute or two is begun beside the checks; the tests' own setup finds it then. */
if (!nodeHasSqlite()) void betterSqlite3Folder();
