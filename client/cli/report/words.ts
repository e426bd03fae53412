import { grouped } from '../../../rules/page-name';
import { npub } from '../../../nostr/keys';
import { markup, type Markup } from './markup';

export function plural(count: number, what: string): string {
  return `${grouped(count)} ${what}${count === 1 ? '' : 's'}`;
}

/** `2 h 1 min`, `1 min 4 s`, `850 ms`: a duration in its two largest units. */
export function tookOf(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = Math.round(ms / 1_000);
  const units = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = units.findIndex(([count]) => count > 0);
  const told = units.slice(first, first + 2).filter(([count]) => count > 0);
  return told.map(([count, unit]) => `${count} ${unit}`).join(' ');
}

/** `2026-11-27 12:03:04 UTC`. */
export function plainTime(at: string): string {
  return `${at.slice(0, 10)} ${at.slice(11, 19)} UTC`;
}

export function time(at: string): Markup {
  return markup`<time datetime="${at}">${plainTime(at)}</time>`;
}

/** An id in full: one click selects it. */
export function id(text: string): Markup {
  return markup`<code class="id"><bdi>${text}</bdi></code>`;
}

/** A public key as npub and as hex. */
export function key(pubkey: string): Markup {
  return markup`<code class="id">${npub(pubkey)}</code><br><small>hex</small> <code class="id soft">${pubkey}</code>`;
}
