import { describe, expect, test } from "vitest";
import { AT, condition, container, disrupted, ended, pod, running, waiting } from "../../test/support/pod-snapshots.ts";
import { judgePod } from "./pod-outcome.ts";
import { explainTrouble } from "./pod-waiting.ts";
import type { PodSnapshot } from "./pod-snapshot.ts";

describe("waiting", () => {
  const pending = (more: Partial<PodSnapshot>) => pod({ phase: "Pending", ...more });
  test.each<[string, PodSnapshot, string, RegExp]>([
    ["no node yet", pending({ node_name: null }), "starting", /scheduler/],
    [
      "unschedulable",
      pending({
        node_name: null,
        conditions: [
          condition("PodScheduled", "False", {
            reason: "Unschedulable",
            message: "0/3 nodes are available: 3 Insufficient memory.",
          }),
        ],
      }),
      "unschedulable",
      /No node can take the pod: 0\/3 nodes.*Insufficient memory/,
    ],
    [
      "gated",
      pending({ node_name: null, conditions: [condition("PodScheduled", "False", { reason: "SchedulingGated" })] }),
      "unschedulable",
      /gate/,
    ],
    ["creating", pending({ containers: [container(waiting("ContainerCreating"))] }), "starting", /node-7/],
    [
      "init container runs",
      pending({
        containers: [container(running, { name: "fetch", init: true }), container(waiting("PodInitializing"))],
      }),
      "starting",
      /init container "fetch"/,
    ],
    [
      "ErrImagePull",
      pending({ containers: [container(waiting("ErrImagePull", "not found"))] }),
      "image",
      /registry.example\/etl:1.*not found/,
    ],
    [
      "ImagePullBackOff",
      pending({ containers: [container(waiting("ImagePullBackOff", "Back-off pulling image"))] }),
      "image",
      /ImagePullBackOff/,
    ],
    [
      "InvalidImageName",
      pending({ containers: [container(waiting("InvalidImageName"))] }),
      "image",
      /InvalidImageName/,
    ],
    [
      "ErrImageNeverPull",
      pending({ containers: [container(waiting("ErrImageNeverPull"))] }),
      "image",
      /ErrImageNeverPull/,
    ],
    [
      "image of an init container",
      pending({
        containers: [
          container(waiting("ErrImagePull"), { name: "fetch", init: true }),
          container(waiting("PodInitializing")),
        ],
      }),
      "image",
      /init container "fetch"/,
    ],
    [
      "CreateContainerConfigError",
      pending({ containers: [container(waiting("CreateContainerConfigError", 'secret "db" not found'))] }),
      "configuration",
      /secret "db" not found/,
    ],
    [
      "CreateContainerError",
      pending({ containers: [container(waiting("CreateContainerError"))] }),
      "configuration",
      /CreateContainerError/,
    ],
    [
      "RunContainerError",
      pending({ containers: [container(waiting("RunContainerError"))] }),
      "configuration",
      /RunContainerError/,
    ],
    [
      "gated, by name",
      pending({
        node_name: null,
        scheduling_gates: ["kueue.x-k8s.io/admission", "example.com/quota"],
        conditions: [condition("PodScheduled", "False", { reason: "SchedulingGated" })],
      }),
      "unschedulable",
      /"kueue\.x-k8s\.io\/admission" and "example\.com\/quota" hold the pod back/,
    ],
    [
      "an error of the scheduler's",
      pending({
        node_name: null,
        conditions: [condition("PodScheduled", "False", { reason: "SchedulerError", message: "binding rejected" })],
      }),
      "unschedulable",
      /scheduler met an error.*binding rejected/,
    ],
    [
      "volumes and network not ready",
      pending({
        conditions: [condition("PodReadyToStartContainers", "False")],
        containers: [container(waiting("ContainerCreating"))],
      }),
      "starting",
      /^node-7 is preparing the pod's volumes and network$/,
    ],
    [
      "pulling",
      pending({
        conditions: [condition("PodReadyToStartContainers", "True")],
        containers: [container(waiting("ContainerCreating"))],
      }),
      "starting",
      /^node-7 is pulling the image/,
    ],
    [
      "a sidecar that ends again and again",
      pending({
        containers: [
          container(waiting("CrashLoopBackOff", "back-off 10s restarting failed container=proxy"), {
            name: "proxy",
            init: true,
            sidecar: true,
            last_end: ended(3, { message: "no\n certificate" }),
          }),
          container(waiting("PodInitializing")),
        ],
      }),
      "configuration",
      /^The sidecar "proxy" keeps ending before the task's container can start \(CrashLoopBackOff: back-off 10s.*; last with exit code 3: no certificate\)$/,
    ],
    [
      "a sidecar that has just ended",
      pending({
        containers: [
          container(ended(3), { name: "proxy", init: true, sidecar: true }),
          container(waiting("PodInitializing")),
        ],
      }),
      "configuration",
      /sidecar "proxy" keeps ending.*exit code 3/,
    ],
    [
      "a sidecar that was ended with its pod",
      pending({
        deletion_requested_at: AT(1),
        containers: [
          container(ended(143), { name: "proxy", init: true, sidecar: true }),
          container(waiting("PodInitializing")),
        ],
      }),
      "starting",
      /being deleted/,
    ],
    [
      "a sidecar that has not passed its startup probe",
      pending({
        containers: [
          container(running, { name: "proxy", init: true, sidecar: true, started: false }),
          container(waiting("PodInitializing")),
        ],
      }),
      "starting",
      /sidecar "proxy" runs on node-7 and has not passed its startup probe/,
    ],
    [
      "a sidecar that runs holds nothing up",
      pending({
        containers: [
          container(running, { name: "proxy", init: true, sidecar: true, started: true }),
          container(waiting("PodInitializing")),
        ],
      }),
      "starting",
      /pulling the image/,
    ],
    [
      "a reason of a later release",
      pending({ containers: [container(waiting("NewHookError", "the hook said no"))] }),
      "starting",
      /^node-7 holds container "base" back \(NewHookError: the hook said no\)$/,
    ],
    ["being deleted", pending({ deletion_requested_at: AT(1) }), "starting", /being deleted/],
  ])("%s", (_, snapshot, kind, reason) => {
    const judged = judgePod(snapshot);
    expect(judged.outcome).toBeNull();
    expect(judged.waiting?.kind).toBe(kind);
    expect(judged.waiting?.reason).toMatch(reason);
  });
});

describe("trouble of a pod that runs", () => {
  const up = (more: Partial<PodSnapshot>) => pod({ containers: [container(running)], ...more });
  const silent = condition("Ready", "False");
  test.each<[string, PodSnapshot, RegExp | null]>([
    ["none", up({ conditions: [condition("Ready", "True")] }), null],
    [
      "a node that does not report",
      up({ conditions: [silent] }),
      /^node-7 does not report.*bring it back, or delete it/,
    ],
    [
      "a probe that fails is none",
      up({ conditions: [condition("Ready", "False", { reason: "ContainersNotReady" })] }),
      null,
    ],
    [
      "a node that is given up",
      up({ conditions: [silent, disrupted("DeletionByTaintManager")], deletion_requested_at: AT(20) }),
      /does not report/,
    ],
    [
      "a drain",
      up({ conditions: [disrupted("EvictionByEvictionAPI")], deletion_requested_at: AT(20) }),
      /^the cluster is ending its pod \(EvictionByEvictionAPI\)$/,
    ],
    ["a deletion", up({ deletion_requested_at: AT(20) }), /^its pod is being deleted since 2026-01-01T12:00:20Z$/],
    ["one that has ended has none", pod({ conditions: [silent], containers: [container(ended(1))] }), null],
    [
      "one that waits has none",
      pod({ conditions: [silent], containers: [container(waiting("ContainerCreating"))] }),
      null,
    ],
  ])("%s", (_, snapshot, said) => {
    const trouble = explainTrouble(snapshot);
    if (said === null) expect(trouble).toBeNull();
    else expect(trouble).toMatch(said);
  });
});
