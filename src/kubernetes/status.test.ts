import { expect, test } from "vitest";
import {
  isConflict,
  isForbidden,
  isGone,
  isInvalid,
  isNotFound,
  isQuota,
  isServiceAccountMissing,
  isTransient,
} from "./kubernetes-error.ts";
import { errorOfAnswer, errorOfStatus, parseRetryAfter } from "./status.ts";

const NOW = new Date("2026-01-01T00:00:00Z");

test.each([
  ["7", 7_000],
  ["0", 0],
  ["3600", 300_000],
  ["Thu, 01 Jan 2026 00:00:09 GMT", 9_000],
  ["Wed, 31 Dec 2025 00:00:00 GMT", 0],
  ["soon", null],
  ["-1", null],
  ["", null],
  [null, null],
])("Retry-After %j is %j ms", (header, ms) => {
  expect(parseRetryAfter(header, NOW)).toBe(ms);
});

const answered = (code: number, body: object | string, mutates = true) =>
  errorOfAnswer({
    code,
    body: typeof body === "string" ? body : JSON.stringify(body),
    retryAfterMs: null,
    action: "create pods",
    mutates,
  });
const statusOf = (code: number, reason: string, message: string, details: object = {}) => ({
  kind: "Status",
  code,
  reason,
  message,
  details,
});

test("reads a Status", () => {
  const error = answered(
    422,
    statusOf(422, "Invalid", "Pod is invalid", {
      retryAfterSeconds: 2,
      causes: [{ reason: "FieldValueInvalid", field: "spec.x", message: "bad" }],
    }),
  );
  expect(error).toMatchObject({
    code: 422,
    reason: "Invalid",
    uncertain: false,
    retryAfterMs: 2_000,
    causes: [{ reason: "FieldValueInvalid", field: "spec.x", message: "bad" }],
  });
  expect(error.message).toBe("cannot create pods: Pod is invalid");
  expect(isInvalid(error)).toBe(true);
});

test("an answer of a proxy is kept short, and a failed change is uncertain", () => {
  const error = answered(502, `<html>\n${"x".repeat(5_000)}</html>`);
  expect(error.message.length).toBeLessThan(400);
  expect(error).toMatchObject({ code: 502, uncertain: true });
  expect(answered(502, "", false).uncertain).toBe(false);
  expect(isTransient(error)).toBe(true);
});

test("an answer that is not Kubernetes' own is none about its objects or permissions", () => {
  for (const body of ["404 page not found", "<html>", '{"error":"no route"}']) {
    const missing = answered(404, body);
    expect([missing.reason, isNotFound(missing), isTransient(missing)]).toEqual(["Foreign", false, true]);
    expect(isForbidden(answered(403, body))).toBe(false);
  }
  expect(isNotFound(answered(404, statusOf(404, "NotFound", 'pods "a" not found')))).toBe(true);
});

test("the meanings of 403, 409 and 410 are told apart", () => {
  const quota = answered(
    403,
    statusOf(403, "Forbidden", 'pods "a" is forbidden: exceeded quota: q, requested: pods=1'),
  );
  expect([isQuota(quota), isForbidden(quota)]).toEqual([true, false]);
  const rbac = answered(403, statusOf(403, "Forbidden", 'User "x" cannot create resource "pods"'));
  expect([isQuota(rbac), isForbidden(rbac)]).toEqual([false, true]);
  expect(
    isServiceAccountMissing(
      answered(403, statusOf(403, "Forbidden", "error looking up service account a/b: not found")),
    ),
  ).toBe(true);
  expect(isConflict(answered(409, statusOf(409, "AlreadyExists", "exists")))).toBe(false);
  expect(isConflict(answered(409, statusOf(409, "Conflict", "the object has been modified")))).toBe(true);
  expect(isGone(errorOfStatus(statusOf(410, "Expired", "too old"), "watch pods"))).toBe(true);
  expect(isGone(errorOfStatus({ reason: "Gone" }, "watch pods"))).toBe(true);
});
