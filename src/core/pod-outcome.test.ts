import { GAVE_UP } from "./last-words.ts";
import { describe, expect, test } from "vitest";
import {
  AT,
  condition,
  container,
  disrupted,
  ended,
  failed,
  pod,
  running,
  waiting,
} from "../../test/support/pod-snapshots.ts";
import type { Outcome, OutcomeKind } from "./outcome.ts";
import { judgeGonePod, judgePod } from "./pod-outcome.ts";
import type { PodSnapshot } from "./pod-snapshot.ts";

/** What ended, how that is called, and words that its reason must have. */
const ENDS: [name: string, PodSnapshot, OutcomeKind, RegExp, exitCode: number | null][] = [
  ["exit 0", pod({ phase: "Succeeded", containers: [container(ended(0))] }), "exited_silently", /without reporting/, 0],
  [
    "exit 0 while a sidecar keeps the pod running",
    pod({ containers: [container(ended(0)), container(running, { name: "proxy" })] }),
    "exited_silently",
    /code 0/,
    0,
  ],
  [
    "exit 0 wins over an eviction",
    failed({ reason: "Evicted", conditions: [disrupted("EvictionByEvictionAPI")], containers: [container(ended(0))] }),
    "exited_silently",
    /code 0/,
    0,
  ],
  ["Succeeded without container states", pod({ phase: "Succeeded" }), "exited_silently", /code 0/, 0],
  ["exit code", failed({ containers: [container(ended(3))] }), "task_failed", /exited with code 3$/, 3],
  [
    "exit code while the phase is still Running",
    pod({ containers: [container(ended(3)), container(running, { name: "proxy" })] }),
    "task_failed",
    /code 3/,
    3,
  ],
  [
    "exit code with its message",
    failed({ containers: [container(ended(1, { message: "disk\n  full" }))] }),
    "task_failed",
    /code 1: disk full/,
    1,
  ],
  [
    "exit code with a long log",
    failed({ containers: [container(ended(1, { message: `${"x".repeat(2_000)} Error: last words` }))] }),
    "task_failed",
    /code 1: …x{1,300} Error: last words$/,
    1,
  ],
  ["signal in the exit code", failed({ containers: [container(ended(139))] }), "task_failed", /SIGSEGV/, 139],
  [
    "signal in its own field",
    failed({ containers: [container(ended(255, { signal: 15 }))] }),
    "task_failed",
    /SIGTERM/,
    255,
  ],
  ["137 without a word of memory", failed({ containers: [container(ended(137))] }), "task_failed", /SIGKILL/, 137],
  [
    "OOMKilled",
    failed({ containers: [container(ended(137, { reason: "OOMKilled" }))] }),
    "out_of_memory",
    /memory limit/,
    137,
  ],
  [
    "OOMKilled with another exit code",
    failed({ containers: [container(ended(1, { reason: "OOMKilled" }))] }),
    "out_of_memory",
    /memory limit/,
    1,
  ],
  [
    "137 with a message of memory",
    failed({ containers: [container(ended(137, { message: "OOM: killed process 12" }))] }),
    "out_of_memory",
    /memory limit/,
    137,
  ],
  [
    "a worker that gave its attempt up and could end itself by a signal alone",
    failed({ containers: [container(ended(133, { message: `windlass worker: no heartbeat for 300 s, ${GAVE_UP}` }))] }),
    "lost",
    /ended itself.*no heartbeat/,
    133,
  ],
  [
    "JavaScript's own limit",
    failed({
      containers: [
        container(
          ended(134, { message: "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory" }),
        ),
      ],
    }),
    "out_of_memory",
    /JavaScript heap/,
    134,
  ],
  [
    "out of memory during a drain",
    failed({
      conditions: [disrupted("EvictionByEvictionAPI")],
      containers: [container(ended(137, { reason: "OOMKilled" }))],
    }),
    "out_of_memory",
    /memory limit/,
    137,
  ],
  [
    "evicted before it ran",
    failed({ reason: "Evicted", message: "The node was low on resource: memory." }),
    "evicted",
    /node-7 evicted.*low on resource/,
    null,
  ],
  [
    "evicted while it ran",
    failed({ reason: "Evicted", containers: [container(ended(137))] }),
    "evicted",
    /node-7 evicted/,
    137,
  ],
  [
    "kubelet refused it",
    failed({ reason: "OutOfcpu", message: "Node didn't have enough resource: cpu" }),
    "evicted",
    /refused the pod \(OutOfcpu\)/,
    null,
  ],
  [
    "preempted by the scheduler",
    failed({ conditions: [disrupted("PreemptionByScheduler")], containers: [container(ended(143))] }),
    "preempted",
    /priority/,
    143,
  ],
  ["preempted by the kubelet", failed({ reason: "Preempting" }), "preempted", /more important/, null],
  [
    "drained",
    failed({ conditions: [disrupted("EvictionByEvictionAPI")], containers: [container(ended(143))] }),
    "drained",
    /node node-7, as a drain does/,
    143,
  ],
  [
    "tainted, kubelet alive",
    failed({ conditions: [disrupted("DeletionByTaintManager")], containers: [container(ended(143))] }),
    "drained",
    /tainted/,
    143,
  ],
  [
    "tainted, kubelet dead",
    failed({ conditions: [disrupted("DeletionByTaintManager")], containers: [container(running)] }),
    "node_lost",
    /became unavailable/,
    null,
  ],
  [
    "collected with its node",
    failed({ conditions: [disrupted("DeletionByPodGC")], containers: [container(running)] }),
    "node_lost",
    /no longer exists/,
    null,
  ],
  [
    "ended by the kubelet",
    failed({ conditions: [disrupted("TerminationByKubelet")], containers: [container(ended(143))] }),
    "evicted",
    /ended the pod/,
    143,
  ],
  [
    "node shut down",
    failed({
      reason: "Terminated",
      message: "imminent node shutdown",
      conditions: [disrupted("TerminationByKubelet")],
      containers: [container(ended(143))],
    }),
    "drained",
    /shut down/,
    143,
  ],
  [
    "disruption of a later release",
    failed({ conditions: [disrupted("SomethingNew")], containers: [container(ended(143))] }),
    "evicted",
    /SomethingNew/,
    143,
  ],
  [
    "own failure before the drain began",
    failed({ conditions: [disrupted("EvictionByEvictionAPI", 40)], containers: [container(ended(1))] }),
    "task_failed",
    /code 1/,
    1,
  ],
  [
    "own failure before it was deleted",
    pod({ deletion_requested_at: AT(40), containers: [container(ended(1))] }),
    "task_failed",
    /code 1/,
    1,
  ],
  [
    "deleted while it ran",
    pod({ deletion_requested_at: AT(20), containers: [container(ended(143))] }),
    "deleted",
    /deleted the pod/,
    143,
  ],
  [
    "deleted, and the disruption is withdrawn",
    pod({
      deletion_requested_at: AT(20),
      conditions: [condition("DisruptionTarget", "False")],
      containers: [container(ended(143))],
    }),
    "deleted",
    /deleted/,
    143,
  ],
  [
    "deadline of the pod",
    failed({
      reason: "DeadlineExceeded",
      message: "Pod was active on the node longer than the specified deadline",
      containers: [container(ended(143))],
    }),
    "timed_out",
    /activeDeadlineSeconds/,
    143,
  ],
  [
    "node lost",
    failed({ reason: "NodeLost", containers: [container(running)] }),
    "node_lost",
    /stopped answering/,
    null,
  ],
  [
    "Failed with a container that still runs",
    failed({ containers: [container(running)] }),
    "lost",
    /without saying/,
    null,
  ],
  [
    "status unknown",
    failed({
      containers: [
        container(ended(137, { reason: "ContainerStatusUnknown", message: "The container could not be located" })),
      ],
    }),
    "lost",
    /lost track/,
    137,
  ],
  [
    "command not found",
    failed({
      containers: [
        container(ended(128, { reason: "StartError", message: 'exec: "windlass": executable file not found' })),
      ],
    }),
    "configuration_error",
    /could not be started: exec/,
    128,
  ],
  [
    "init container failed",
    failed({ containers: [container(ended(2), { name: "fetch", init: true }), container(waiting("PodInitializing"))] }),
    "task_failed",
    /init container "fetch" exited with code 2/,
    2,
  ],
  [
    "init container out of memory",
    failed({
      containers: [
        container(ended(137, { reason: "OOMKilled" }), { name: "fetch", init: true }),
        container(waiting("PodInitializing")),
      ],
    }),
    "out_of_memory",
    /init container "fetch"/,
    137,
  ],
];

describe("outcome", () => {
  test.each(ENDS)("%s", (_, snapshot, kind, reason, exitCode) => {
    const { outcome, waiting: stillWaiting } = judgePod(snapshot);
    expect(outcome).toMatchObject({ kind, exit_code: exitCode, error: null } satisfies Partial<Outcome>);
    expect(outcome?.reason).toMatch(reason);
    expect(outcome?.reason).not.toContain("\n");
    expect(stillWaiting).toBeNull();
  });

  test.each<[string, PodSnapshot]>([
    ["running", pod({ containers: [container(running)] })],
    ["being deleted, container still up", pod({ deletion_requested_at: AT(20), containers: [container(running)] })],
    [
      "marked for a drain, container still up",
      pod({ conditions: [disrupted("EvictionByEvictionAPI")], containers: [container(running)] }),
    ],
    ["on a node that does not answer", pod({ phase: "Unknown", reason: "NodeLost", containers: [container(running)] })],
    ["a sidecar ended", pod({ containers: [container(running), container(ended(1), { name: "proxy" })] })],
    [
      "an init container failed but the phase is not final",
      pod({
        phase: "Pending",
        containers: [container(ended(1), { name: "fetch", init: true }), container(waiting("PodInitializing"))],
      }),
    ],
  ])("none while %s", (_, snapshot) => {
    expect(judgePod(snapshot).outcome).toBeNull();
  });

  test("an exit code that the worker gives a meaning has that meaning, in the main container only", () => {
    const exits = new Map([[75, { kind: "lost", reason: "The API was out of reach" } as const]]);
    const own = judgePod(failed({ containers: [container(ended(75, { message: "connect ECONNREFUSED" }))] }), exits);
    expect(own.outcome).toMatchObject({
      kind: "lost",
      exit_code: 75,
      reason: "The API was out of reach: connect ECONNREFUSED",
    });
    const init = judgePod(failed({ containers: [container(ended(75), { name: "fetch", init: true })] }), exits);
    expect(init.outcome?.kind).toBe("task_failed");
    const drained = judgePod(
      failed({ conditions: [disrupted("EvictionByEvictionAPI")], containers: [container(ended(75))] }),
      exits,
    );
    expect(drained.outcome?.kind).toBe("drained");
  });

  test("times come from the pod", () => {
    const judged = judgePod(
      pod({
        conditions: [condition("PodScheduled", "True", { last_transition_at: AT(2) })],
        containers: [container(running)],
      }),
    );
    expect(judged).toMatchObject({
      pod_scheduled_at: AT(2),
      container_started_at: AT(10),
      waiting: null,
      outcome: null,
    });
  });
});

describe("outcome of a pod that is gone", () => {
  test.each<[string, PodSnapshot | null, OutcomeKind]>([
    ["never seen", null, "lost"],
    ["ended before", pod({ containers: [container(ended(4))] }), "task_failed"],
    ["succeeded before", pod({ phase: "Succeeded", containers: [container(ended(0))] }), "exited_silently"],
    ["deleted while it ran", pod({ deletion_requested_at: AT(20), containers: [container(running)] }), "deleted"],
    ["deleted by force", pod({ containers: [container(running)] }), "deleted"],
    ["deleted before it was scheduled", pod({ phase: "Pending", node_name: null }), "deleted"],
    [
      "preempted while pending",
      pod({ phase: "Pending", conditions: [disrupted("PreemptionByScheduler")] }),
      "preempted",
    ],
    [
      "drained, the end never reported",
      pod({
        deletion_requested_at: AT(20),
        conditions: [disrupted("EvictionByEvictionAPI")],
        containers: [container(running)],
      }),
      "drained",
    ],
    ["its node lost", pod({ phase: "Unknown", reason: "NodeLost", containers: [container(running)] }), "node_lost"],
  ])("%s", (_, snapshot, kind) => {
    expect(judgeGonePod(snapshot).kind).toBe(kind);
  });
});
