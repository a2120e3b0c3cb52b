import { expect, test } from "vitest";
import { failure } from "../core/errors.ts";
import { FOREIGN, kubernetesError, type KubernetesErrorInput } from "../kubernetes/kubernetes-error.ts";
import { judgeFailure } from "./kubernetes-launch.ts";

const error = (more: Partial<KubernetesErrorInput>) =>
  kubernetesError({
    code: 500,
    reason: "",
    message: "said the server",
    action: 'create pods in namespace "etl"',
    ...more,
  });

test.each<[string, unknown, "retry" | "refused" | "repeat", RegExp]>([
  ["quota", error({ code: 403, message: "exceeded quota: q" }), "retry", /quota of namespace "etl"/],
  [
    "quota that two creates met at",
    error({ code: 409, reason: "Conflict", message: "Operation cannot be fulfilled on resourcequotas" }),
    "repeat",
    /in between/,
  ],
  ["429", error({ code: 429, retryAfterMs: 7_000 }), "retry", /throttling/],
  ["500", error({ code: 500, uncertain: true }), "repeat", /not known whether/],
  [
    "a connection that broke",
    error({ code: 0, reason: "ConnectionLost", uncertain: true }),
    "repeat",
    /not known whether/,
  ],
  ["a proxy in between", error({ code: 403, reason: FOREIGN }), "retry", /not available/],
  ["nobody there", error({ code: 0, reason: "Unreachable" }), "retry", /not available/],
  ["401 after renewal", error({ code: 401 }), "retry", /not available/],
  [
    "a service account that is not there yet",
    error({ code: 403, message: "error looking up service account etl/x" }),
    "retry",
    /service account/,
  ],
  [
    "a missing permission",
    error({ code: 403, message: 'User "u" cannot create resource "pods"' }),
    "refused",
    /forbids to create pods in namespace "etl".*User "u".*bind a Role in namespace "etl" .*verbs: \[create\]/,
  ],
  [
    "a field",
    error({ code: 422, causes: [{ reason: "FieldValueInvalid", field: "spec.x", message: "bad" }] }),
    "refused",
    /refuses the pod: spec.x: bad/,
  ],
  ["a misspelt field", error({ code: 400, message: 'unknown field "spec.y"' }), "refused", /unknown field "spec.y"/],
  [
    "a namespace that ends",
    error({ code: 403, causes: [{ reason: "NamespaceTerminating", field: null, message: "" }] }),
    "refused",
    /being deleted/,
  ],
  ["a namespace that is not there", error({ code: 404, reason: "NotFound" }), "refused", /"etl" does not exist/],
  ["a proxy's 404", error({ code: 404, reason: "Foreign" }), "retry", /not available/],
  ["a proxy's 403", error({ code: 403, reason: "Foreign" }), "retry", /not available/],
  ["a proxy's limit", error({ code: 413, reason: "Foreign" }), "refused", /refuses the pod/],
  ["signing in", failure("unavailable", "the plugin hangs"), "retry", /cannot be reached: the plugin hangs/],
])("%s", (_, cause, kind, reason) => {
  const verdict = judgeFailure(cause, "etl");
  expect(verdict.kind).toBe(kind);
  expect(verdict).toHaveProperty("reason", expect.stringMatching(reason));
});

test("the server's Retry-After goes on to the scheduler", () => {
  expect(judgeFailure(error({ code: 429, retryAfterMs: 7_000 }), "etl")).toHaveProperty("retry_after_ms", 7_000);
});
