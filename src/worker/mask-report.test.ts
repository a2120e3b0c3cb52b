import { expect, test } from "vitest";
import { createMask } from "../core/mask-secrets.ts";
import { maskReport } from "./mask-report.ts";

test("errors are masked, results are not", () => {
  const mask = createMask(["hunter22"]);
  const failed = {
    state: "failed" as const,
    kind: "task_failed" as const,
    retryable: true,
    exit_code: null,
    error: { name: "Error", message: "no hunter22", stack: "Error: no hunter22\n at x" },
  };
  expect(maskReport(failed, mask)).toMatchObject({ error: { message: "no ***", stack: "Error: no ***\n at x" } });
  expect(maskReport({ state: "success", result: "hunter22" }, mask)).toEqual({ state: "success", result: "hunter22" });
  expect(maskReport({ state: "skipped", reason: "hunter22" }, mask)).toEqual({ state: "skipped", reason: "***" });
});
