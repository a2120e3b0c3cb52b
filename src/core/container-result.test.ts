import { expect, test } from "vitest";
import { container, ended, pod as podOf } from "../../test/support/pod-snapshots.ts";
import { awaitResult, RESULT_CONTAINER } from "./container-result.ts";
import type { Outcome, OutcomeKind } from "./outcome.ts";
import type { ContainerState, PodPhase } from "./pod-snapshot.ts";

const success: Outcome = { kind: "success", reason: "The container exited with code 0", exit_code: 0, error: null };
const running: ContainerState = { kind: "running", started_at: null };

test.each<[string, ContainerState | null, PodPhase, boolean, OutcomeKind | null, RegExp | null]>([
  ["waits for the helper", running, "Running", false, null, null],
  ["is a success once it has delivered", ended(0), "Running", false, "success", null],
  [
    "fails when the result cannot be used",
    ended(65, { message: "it is not JSON" }),
    "Succeeded",
    false,
    "task_failed",
    /cannot be used: it is not JSON/,
  ],
  [
    "is lost when it could not be delivered",
    ended(70, { message: "the API was away" }),
    "Failed",
    false,
    "lost",
    /code 70: the API was away/,
  ],
  ["is lost when the pod vanished before", running, "Running", true, "lost", /before the result was delivered/],
  ["is lost when the helper never ran", null, "Succeeded", false, "lost", /before the result was delivered/],
])("a container that succeeded %s", (_, helper, phase, gone, kind, reason) => {
  const helpers = helper === null ? [] : [{ ...container(helper), name: RESULT_CONTAINER, init: true }];
  const pod = podOf({ phase, containers: [...helpers, container(ended(0))] });
  const outcome = awaitResult(pod, success, gone);
  expect(outcome?.kind ?? null).toBe(kind);
  if (reason) expect(outcome?.reason).toMatch(reason);
});

test("any other end waits for nothing", () => {
  const failed: Outcome = { ...success, kind: "task_failed" };
  expect(awaitResult(podOf({ containers: [container(ended(1))] }), failed, false)).toBe(failed);
  expect(awaitResult(null, null, false)).toBeNull();
});
