// npm run docs:screenshots: takes the pictures in docs/images/ from real runs. It needs a Chromium, which
// `npm ci` installs on Linux x64.
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const { takePictures } = require(path.join(root, 'dist/dev/pictures/take.js'));

await takePictures(path.join(root, 'docs/images'), (text) => console.error(text));
