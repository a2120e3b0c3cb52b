// Ends of which the pod tells a part: how its container ended was not seen, or it was ended with the pod and says nothing of why.

import { expect, test } from "vitest";
import { container, ended, failed, running, waiting } from "../../test/support/pod-snapshots.ts";
import { chargeOf, type OutcomeKind } from "./outcome.ts";
import { hasEnded, judgePod } from "./pod-outcome.ts";
import type { PodSnapshot } from "./pod-snapshot.ts";

test.each<[string, PodSnapshot, OutcomeKind, RegExp, exitCode: number | null]>([
  [
    "lost by the container runtime",
    failed({ containers: [container(ended(255, { reason: "Unknown" }))] }),
    "lost",
    /runtime.*lost track/,
    255,
  ],
  [
    "refused when its kubelet came back",
    failed({
      reason: "UnexpectedAdmissionError",
      message: "Pod was rejected: Allocate failed due to no healthy devices present",
      containers: [container(ended(137, { reason: "ContainerStatusUnknown", started_at: null }))],
    }),
    "evicted",
    /refused the pod \(UnexpectedAdmissionError\): .*no healthy devices/,
    137,
  ],
  [
    "deadline of the pod while its image was pulled",
    failed({ reason: "DeadlineExceeded", containers: [container(waiting("ContainerCreating"))] }),
    "start_timeout",
    /activeDeadlineSeconds before its container ran/,
    null,
  ],
  [
    "deadline of the pod before it started, as a kubelet without init containers to wait for reports it",
    failed({
      reason: "DeadlineExceeded",
      containers: [container(ended(137, { reason: "ContainerStatusUnknown", started_at: null }))],
    }),
    "start_timeout",
    /before its container ran/,
    137,
  ],
  [
    "deadline of the pod, its container not reported as ended",
    failed({ reason: "DeadlineExceeded", containers: [container(running)] }),
    "timed_out",
    /past its activeDeadlineSeconds/,
    null,
  ],
  [
    "OOMKilled without a limit",
    failed({ containers: [container(ended(137, { reason: "OOMKilled" }), { memory_limit: null })] }),
    "out_of_memory",
    /its node ran out of memory: .*no memory limit of its own/,
    137,
  ],
  [
    "init container failed beside a sidecar that was ended with the pod",
    failed({
      containers: [
        container(ended(143), { name: "proxy", init: true, sidecar: true }),
        container(ended(2), { name: "fetch", init: true }),
        container(waiting("PodInitializing")),
      ],
    }),
    "task_failed",
    /init container "fetch" exited with code 2/,
    2,
  ],
  [
    "a sidecar ended with the pod says nothing of it",
    failed({
      message: "reason unknown",
      containers: [
        container(ended(143), { name: "proxy", init: true, sidecar: true }),
        container(waiting("PodInitializing")),
      ],
    }),
    "lost",
    /failed without saying.*reason unknown/,
    null,
  ],
])("%s", (_, snapshot, kind, reason, exitCode) => {
  const { outcome } = judgePod(snapshot);
  expect(outcome).toMatchObject({ kind, exit_code: exitCode });
  expect(outcome?.reason).toMatch(reason);
});

test("an end that was not seen spends no retry, and is no proof that the process has ended", () => {
  const lost = failed({ containers: [container(ended(255, { reason: "Unknown" }))] });
  expect(chargeOf(judgePod(lost).outcome?.kind ?? "success")).toBe("infrastructure");
  expect(hasEnded(lost)).toBe(false);
  expect(hasEnded(failed({ containers: [container(ended(255))] }))).toBe(true);
});
