// The end of an attempt as the execution API takes it: without what its task was given in confidence, and then no longer than
// it may be.

import type { FinishRequest } from "../contract/execution.ts";
import type { Mask } from "../core/mask-secrets.ts";

/** Lengths that the execution API takes. */
const LONGEST = { name: 1_024, message: 16_384, stack: 65_536, reason: 4_096 } as const;

export function maskReport(report: FinishRequest, mask: Mask): FinishRequest {
  const show = (text: string, field: keyof typeof LONGEST) =>
    cut(maskStart(text, LONGEST[field] * 4, mask), LONGEST[field]);
  switch (report.state) {
    case "success":
      return report;
    case "skipped":
      return { ...report, reason: show(report.reason, "reason") };
    case "failed": {
      const { name, message, stack } = report.error;
      return {
        ...report,
        error: {
          name: show(name, "name"),
          message: show(message, "message"),
          stack: stack === null ? null : show(stack, "stack"),
        },
      };
    }
  }
}

/** A message may hold a whole file: no more is read of it, and where that ends, nothing is shown that a secret may begin with. */
function maskStart(text: string, longest: number, mask: Mask): string {
  return text.length > longest ? `${mask.stream().write(text.slice(0, longest))}…` : mask(text);
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}
