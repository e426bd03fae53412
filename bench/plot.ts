/** Line and bar charts as SVG, for docs/performance.md. */
export interface Series {
  name: string;
  points: [x: number, y: number][];
}

export interface Chart {
  title: string;
  xLabel: string;
  yLabel: string;
  series: Series[];
}

const WIDTH = 720;
const HEIGHT = 360;
const LEFT = 70;
const RIGHT = 190;
const TOP = 40;
const BOTTOM = 50;
const COLOURS = ['#8a8f98', '#d08700', '#1f6feb', '#1a7f37', '#8250df', '#cf222e', '#0a7ea4', '#6e5494'];

export function lineChart({ title, xLabel, yLabel, series }: Chart): string {
  const points = series.flatMap((one) => one.points);
  const xMax = Math.max(...points.map(([x]) => x), 1e-9);
  const yMax = niceCeiling(Math.max(...points.map(([, y]) => y), 1e-9));
  const x = (value: number): number => LEFT + (value / xMax) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => HEIGHT - BOTTOM - (value / yMax) * (HEIGHT - TOP - BOTTOM);
  const lines = series.map(({ name, points: own }, index) => {
    const colour = colourOf(index);
    const path = own.map(([px, py]) => `${round(x(px))},${round(y(py))}`).join(' ');
    const dots = own.length > 30 ? [] : own.map(([px, py]) => dot(x(px), y(py), colour));
    return [
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${path}"/>`,
      ...dots,
      legend(name, index),
    ].join('');
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return svg(title, [
    ...ticks.map((part) => gridLine(y(yMax * part), yMax * part)),
    ...ticks.map((part) => text(x(xMax * part), HEIGHT - BOTTOM + 18, shown(xMax * part), 'middle')),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, xLabel, 'middle'),
    text(LEFT, TOP - 8, yLabel, 'start'),
    ...lines,
  ]);
}

export interface Bars {
  title: string;
  yLabel: string;
  groups: { name: string; values: { name: string; value: number }[] }[];
}

export function barChart({ title, yLabel, groups }: Bars): string {
  const values = groups.flatMap((group) => group.values);
  const yMax = niceCeiling(Math.max(...values.map(({ value }) => value), 1e-9));
  const y = (value: number): number => HEIGHT - BOTTOM - (value / yMax) * (HEIGHT - TOP - BOTTOM);
  const names = [...new Set(values.map(({ name }) => name))];
  const groupWidth = (WIDTH - LEFT - RIGHT) / Math.max(groups.length, 1);
  const barWidth = (groupWidth * 0.8) / Math.max(names.length, 1);
  const bars = groups.map((group, index) => {
    const left = LEFT + groupWidth * (index + 0.1);
    const rects = group.values.map(({ name, value }) => {
      const place = names.indexOf(name);
      const height = HEIGHT - BOTTOM - y(value);
      const at = `x="${round(left + place * barWidth)}" y="${round(y(value))}"`;
      const size = `width="${round(barWidth * 0.9)}" height="${round(height)}"`;
      return `<rect ${at} ${size} fill="${colourOf(place)}"/>`;
    });
    return rects.join('') + text(left + groupWidth * 0.4, HEIGHT - BOTTOM + 18, group.name, 'middle');
  });
  return svg(title, [
    ...[0, 0.25, 0.5, 0.75, 1].map((part) => gridLine(y(yMax * part), yMax * part)),
    text(LEFT, TOP - 8, yLabel, 'start'),
    ...bars,
    ...names.map((name, index) => legend(name, index)),
  ]);
}

function svg(title: string, parts: string[]): string {
  const head =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" ` +
    'font-family="sans-serif" font-size="12" role="img">';
  const name = `<title>${escaped(title)}</title><rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`;
  return `${head}${name}${text(LEFT, 18, title, 'start', 'bold')}${parts.join('\n')}</svg>\n`;
}

function gridLine(at: number, value: number): string {
  const ends = `x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(at)}" y2="${round(at)}"`;
  const line = `<line ${ends} stroke="#d8dee4"/>`;
  return line + text(LEFT - 8, at + 4, shown(value), 'end');
}

function legend(name: string, index: number): string {
  const at = TOP + 10 + index * 20;
  const left = WIDTH - RIGHT + 15;
  const box = `<rect x="${left}" y="${at - 9}" width="12" height="12" fill="${colourOf(index)}"/>`;
  return box + text(left + 18, at + 1, name, 'start');
}

function dot(cx: number, cy: number, colour: string): string {
  return `<circle cx="${round(cx)}" cy="${round(cy)}" r="3" fill="${colour}"/>`;
}

function text(x: number, y: number, content: string, anchor: string, weight = 'normal'): string {
  const how = `text-anchor="${anchor}" font-weight="${weight}" fill="#24292f"`;
  return `<text x="${round(x)}" y="${round(y)}" ${how}>${escaped(content)}</text>`;
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? '#000';
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function shown(value: number): string {
  return value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}

function niceCeiling(value: number): number {
  const magnitude = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 4, 5, 8, 10].find((step) => step * magnitude >= value) ?? 10) * magnitude;
}
