import { expect, test } from "vitest";
import { condition, pod } from "../../test/support/pod-snapshots.ts";
import { adviseScheduling } from "./advise-scheduling.ts";
import { explainWaiting } from "./pod-waiting.ts";

const LESS = /^free or add nodes, or let the task's pod ask for less$/;

// The scheduler's own sentences, as Kubernetes 1.30 to 1.34 have them.
test.each<[string, RegExp]>([
  ["0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory. preemption: 0/3 nodes are available", LESS],
  ["0/3 nodes are available: 3 Too many pods.", LESS],
  [
    "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 Insufficient cpu.",
    LESS,
  ],
  ["no nodes available to schedule pods", /^add nodes$/],
  ["0/1 nodes are available: 1 node(s) were unschedulable.", /^uncordon a node$/],
  [
    "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unschedulable: }.",
    /^uncordon a node$/,
  ],
  [
    "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.",
    /nodes, which are not/,
  ],
  ["0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }.", /nodes, which/],
  ["0/1 nodes are available: 1 node(s) had untolerated taint {gpu: true}.", /tolerate it$/],
  ["0/1 nodes are available: 1 node(s) had untolerated taint(s).", /tolerate it$/],
  ["0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", /nodeSelector or affinity/],
  ["0/1 nodes are available: 1 node(s) didn't match the requested node name.", /nodeSelector or affinity/],
  ["0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.", /pod affinity$/],
  ["0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.", /pod affinity$/],
  ["0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints.", /topologySpreadConstraints$/],
  ["0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.", /host port/],
  ['0/1 nodes are available: persistentvolumeclaim "data" not found.', /^see the volume claims/],
  ["0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", /^see the volume claims/],
  ["0/1 nodes are available: 1 node(s) had volume node affinity conflict.", /^see the volume claims/],
  ["0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity.", /^see the volume claims/],
  ["0/1 nodes are available: 1 node(s) exceed max volume count.", /volume claims/],
  ["0/1 nodes are available: 1 node(s) had no available volume zone.", /volume claims/],
  ["0/1 nodes are available: 1 cannot allocate all claims.", /^see the resource claims/],
  ['0/1 nodes are available: pod "etl/a": ResourceClaim not created yet.', /^see the resource claims/],
  ["0/1 nodes are available: request gpu: device class gpu.example.com does not exist.", /^see the resource claims/],
  [
    "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {gpu: true}.",
    /ask for less; take the/,
  ],
  ["something that no release has said yet", LESS],
])("%s", (said, advice) => {
  const scheduled = condition("PodScheduled", "False", { reason: "Unschedulable", message: said });
  const waiting = explainWaiting(pod({ phase: "Pending", node_name: null, conditions: [scheduled] }));
  expect(adviseScheduling(waiting?.reason ?? "")).toMatch(advice);
});

test.each<[string, string | null]>([
  ["SchedulingGated", null],
  ["SchedulerError", "see the cluster's scheduler"],
])("%s has its own", (reason, advice) => {
  const scheduled = condition("PodScheduled", "False", { reason, message: "Insufficient cpu" });
  const waiting = explainWaiting(pod({ phase: "Pending", node_name: null, conditions: [scheduled] }));
  expect(adviseScheduling(waiting?.reason ?? "")).toBe(advice);
});
