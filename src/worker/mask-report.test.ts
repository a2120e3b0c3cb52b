import { expect, test } from "vitest";
import { createMask } from "../core/mask-secrets.ts";
import { maskReport } from "./mask-report.ts";

const failed = (message: string, stack: string | null = null) => ({
  state: "failed" as const,
  kind: "task_failed" as const,
  retryable: true,
  exit_code: null,
  error: { name: "Error", message, stack },
});

test("errors are masked, results are not", () => {
  const mask = createMask(["hunter22"]);
  const report = maskReport(failed("no hunter22", "Error: no hunter22\n at x"), mask);
  expect(report).toMatchObject({ error: { message: "no ***", stack: "Error: no ***\n at x" } });
  expect(maskReport({ state: "success", result: "hunter22" }, mask)).toEqual({ state: "success", result: "hunter22" });
  expect(maskReport({ state: "skipped", reason: "hunter22" }, mask)).toEqual({ state: "skipped", reason: "***" });
});

test("of a message without an end only the start is read, and none of a secret shown where that ends", () => {
  const secret = "hunter22-of-the-shop ".repeat(4_000).trim();
  const report = maskReport(failed(`got ${secret}`), createMask([secret]));
  expect(report).toMatchObject({ error: { message: "got …" } });
  const repeated = maskReport(failed("hunter22-of-the-shop".repeat(10_000)), createMask(["hunter22-of-the-shop"]));
  expect(repeated.state === "failed" && repeated.error.message).toMatch(/^(\*{3})+…$/);
});

test("what is cut off does not leave the beginning of a secret", () => {
  const mask = createMask(["hunter22-of-the-shop"]);
  for (const length of [16_383, 16_384, 16_380, 16_370, 16_364]) {
    const report = maskReport(failed(`${"x".repeat(length)}hunter22-of-the-shop`), mask);
    const message = report.state === "failed" ? report.error.message : "";
    expect(message.length).toBeLessThanOrEqual(16_384);
    expect(message).toMatch(/^x+\**…?$/);
  }
});
