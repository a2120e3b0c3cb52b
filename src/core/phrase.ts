// How sentences for people are put together: names quoted, times in UTC, one capital letter in front and one full stop.

const LONGEST_CLAUSE = 600;

/** Somebody else's text as a part of a sentence: in one line, without its own full stop. */
export function clause(text: string, longest = LONGEST_CLAUSE): string {
  const line = text.replace(/\s+/g, " ").trim();
  const cut = line.length > longest ? `${line.slice(0, longest)}…` : line;
  return cut.replace(/[\s.;,:]+$/, "");
}

/** null and empty parts are left out. */
export function sentence(...parts: (string | null)[]): string {
  const text = parts.filter((part) => part !== null && part !== "").join("; ");
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

/** @param more how many there are beyond those named */
export function listNames(names: readonly string[], more = 0): string {
  const quoted = [...names.map((name) => `"${name}"`), ...(more > 0 ? [`${more} more`] : [])];
  const last = quoted.at(-1) ?? "";
  return quoted.length < 2 ? last : `${quoted.slice(0, -1).join(", ")} and ${last}`;
}

export function sayInstant(at: Date): string {
  return at.toISOString().replace(/\.\d{3}Z$/, "Z");
}

export function saySeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 120) return `${minutes} min ${whole % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days ${hours % 24} h`;
}

export const secondsBetween = (from: Date, to: Date) => (to.getTime() - from.getTime()) / 1000;

/** "since 2026-03-01T12:00:00Z (5 s ago)". */
export function saySince(at: Date, now: Date): string {
  return `since ${sayInstant(at)} (${saySeconds(secondsBetween(at, now))} ago)`;
}

/** "at 2026-03-01T12:00:00Z (in 5 s)", or at once when that is over. */
export function sayDue(at: Date, now: Date): string {
  return at <= now ? "at once" : `at ${sayInstant(at)} (in ${saySeconds(secondsBetween(now, at))})`;
}
