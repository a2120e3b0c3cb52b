// The end of an attempt without what its task was given in confidence.

import type { FinishRequest } from "../contract/execution.ts";
import type { Mask } from "../core/mask-secrets.ts";

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
