import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseLnbitsUrl } from '../../sources/url';

describe('LNBITS_DATABASE_URL', () => {
  let cwd: string;
  let data: string;

  beforeAll(() => {
    cwd = mkdtempSync(path.join(os.tmpdir(), 'republish-url-'));
    data = path.join(cwd, 'lnbits data');
    mkdirSync(data);
    writeFileSync(path.join(data, 'database.sqlite3'), '');
  });
  afterAll(() => rmSync(cwd, { recursive: true }));

  const folderOf = (text: string): string => {
    const parsed = parseLnbitsUrl(text, cwd);
    if (parsed.kind !== 'sqlite') throw new Error('not SQLite');
    return parsed.folder;
  };

  test.each([
    ['postgres://u:p@h:5432/lnbits', 'postgres://u:p@h:5432/lnbits'],
    [' postgresql://u:p@h/lnbits?sslmode=require ', 'postgresql://u:p@h/lnbits?sslmode=require'],
    ['postgresql+asyncpg://u:p%23@h/lnbits', 'postgresql://u:p%23@h/lnbits'],
    ['postgres+psycopg2://u@h/lnbits', 'postgres://u@h/lnbits'],
  ])('%s is Postgres', (text, url) => {
    expect(parseLnbitsUrl(text, cwd)).toEqual({ kind: 'postgres', url });
  });

  test.each([
    'lnbits data',
    './lnbits data/',
    'lnbits data/database.sqlite3',
    'sqlite:///lnbits%20data',
    'sqlite:///lnbits data/',
    'sqlite:///./lnbits data/database.sqlite3',
    'sqlite://./lnbits%20data',
    'sqlite+aiosqlite:///./lnbits data/database.sqlite3',
  ])('%s is the folder in the working directory', (text) => {
    expect(folderOf(text)).toBe(data);
  });

  test('three and four slashes begin an absolute path', () => {
    for (const text of [
      data,
      `sqlite://${data}`,
      `sqlite:///${data}`,
      `sqlite:///${data}/database.sqlite3`,
    ]) {
      expect(folderOf(text)).toBe(data);
    }
    expect(folderOf('sqlite:///nowhere/lnbits/data')).toBe('/nowhere/lnbits/data');
    expect(folderOf('sqlite:////nowhere/lnbits/data/')).toBe('/nowhere/lnbits/data');
  });

  test.each([
    ['cockroachdb://u:geheim@h/lnbits', /CockroachDB, which is not supported/],
    ['mysql://u:geheim@h/lnbits', /begins with "mysql:\/\/": write postgres:/],
    ['postgres:u:geheim@h/lnbits', /no \/\/ behind "postgres:"/],
    ['sqlite://', /names no folder/],
    ['sqlite:///:memory:', /in memory/],
    ['sqlite:////data?mode=geheim', /\? or #/],
    ['sqlite:////100%', /%25/],
    ['  ', /is empty/],
  ])('%s is refused in words', (text, message) => {
    expect(() => parseLnbitsUrl(text, cwd)).toThrow(message);
    expect(() => parseLnbitsUrl(text, cwd)).not.toThrow(/geheim/);
  });
});
