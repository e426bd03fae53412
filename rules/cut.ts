const MAX_MESSAGE_LENGTH = 300;

/** A message of bounded length. An ellipsis shows that it was cut: half a cause looks like another cause. */
export function cut(message: string): string {
  if (message.length <= MAX_MESSAGE_LENGTH) return message;
  // No half of a surrogate pair at its end.
  return `${message.slice(0, MAX_MESSAGE_LENGTH - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
