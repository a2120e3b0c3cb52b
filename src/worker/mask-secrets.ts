// What a task was given in confidence does not leave its pod in logs or errors. Results are the author's own affair.

import type { FinishRequest } from "../contract/execution.ts";

export type Mask = (text: string) => string;

/** Shorter texts would blot out harmless words. */
const SHORTEST = 4;

export function createMask(secrets: readonly string[]): Mask {
  // Logs come line by line, so a secret of several lines is masked line by line; also as JSON and URLs would write it.
  const texts = secrets
    .flatMap((secret) => [secret, ...secret.split(/\r?\n/)])
    .flatMap((text) => [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text.toWellFormed())])
    .filter((text) => text.trim().length >= SHORTEST);
  if (texts.length === 0) return (text) => text;
  // The longest first, so that a secret that holds another leaves no rest.
  const longestFirst = [...new Set(texts)].toSorted((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map((text) => RegExp.escape(text)).join("|"), "g");
  return (text) => text.replace(pattern, "***");
}

export function maskReport(report: FinishRequest, mask: Mask): FinishRequest {
  switch (report.state) {
    case "success":
      return report;
    case "skipped":
      return { ...report, reason: mask(report.reason) };
    case "failed": {
      const { name, message, stack } = report.error;
      return {
        ...report,
        error: { name: mask(name), message: mask(message), stack: stack === null ? null : mask(stack) },
      };
    }
  }
}
