// A well-spread number from a text: for jitter that is the same wherever it is computed. Not for secrets.

/** FNV-1a over UTF-16 units with a final mix; from 0 to 2^32 - 1. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  // Without it, texts that differ in their last letters only would lie close together.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
