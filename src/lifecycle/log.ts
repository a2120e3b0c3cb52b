// The one logger: JSON lines on stderr, so that stdout stays free for what a command prints.

import { type Logger, pino } from "pino";

export type { Logger };

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export function createLogger(level: LogLevel, base: Record<string, string> = {}): Logger {
  return pino(
    {
      level,
      base,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ["token", "password", "authorization", "*.token", "*.password", "*.authorization"] },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}
