// Durations as authors write them; seconds in the definition.

import { authorError, describeValue } from "./author-error.ts";

/** Seconds, or a number with its unit: "250ms", "30s", "5m", "1h", "1d". */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const SECONDS = new Map([
  ["ms", 0.001],
  ["s", 1],
  ["m", 60],
  ["h", 3600],
  ["d", 86_400],
]);

/** @param path names the option in the error, e.g. `task "load": retryDelay` */
export function toSeconds(duration: unknown, path: string): number {
  if (typeof duration === "number" && Number.isFinite(duration) && duration >= 0) return duration;
  const parts = typeof duration === "string" ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration) : null;
  const unit = SECONDS.get(parts?.[2] ?? "");
  if (!parts || unit === undefined) {
    throw authorError(
      `${path} is ${describeValue(duration)}, which is not a duration. Use seconds (30) or a number with its unit ("250ms", "30s", "5m", "1h", "1d").`,
    );
  }
  // The quotient keeps 250 ms at 0.25: multiplying by 0.001 does not for every number.
  return unit < 1 ? Number(parts[1]) / 1000 : Number(parts[1]) * unit;
}
