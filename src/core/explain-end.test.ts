import { expect, it, test } from "vitest";
import { explainInstance } from "./explain.ts";
import { type AttemptSituation, type Cause, END_CAUSES } from "./situation.ts";
import { at, type Change, makeSituation, NOW } from "./situation-fixture.ts";

const failed = (attempt: Partial<AttemptSituation>, more: Change = {}): Change => ({
  ...more,
  instance: { state: "failed", try_number: 3, ...more.instance },
  attempt: { state: "finished", started_at: at(-30), finished_at: at(-10), ...attempt },
});
const END = "at 2026-03-01T11:59:50Z";

const CASES: [Cause, Change, string][] = [
  [
    "upstream_failed",
    {
      instance: { state: "upstream_failed" },
      upstream: {
        groups: [
          { state: "success", count: 1, names: ["a"] },
          { state: "upstream_failed", count: 1, names: ["clean"] },
        ],
        failed: [
          { name: "extract", reason: "Error: no route." },
          { name: "fetch", reason: null },
        ],
      },
    },
    'Task "load" never ran because of its trigger rule all_success: upstream has task "clean" (upstream_failed); "extract" failed first (and so did "fetch"): Error: no route.',
  ],
  [
    "upstream_skipped",
    {
      instance: { state: "skipped" },
      upstream: { groups: [{ state: "skipped", count: 2, names: ["a", "b"] }] },
    },
    'Task "load" was skipped because of its trigger rule all_success: upstream has 2 tasks: "a" (skipped) and "b" (skipped).',
  ],
  [
    "upstream_skipped",
    {
      instance: { state: "skipped" },
      upstream: { trigger_rule: "all_failed", groups: [{ state: "success", count: 1, names: ["a"] }] },
    },
    'Task "load" was skipped because of its trigger rule all_failed: upstream has task "a" (success).',
  ],
  [
    "skipped",
    failed({ outcome: "skipped", outcome_reason: "nothing new today" }, { instance: { state: "skipped" } }),
    `Task "load" skipped itself after 20 s ${END}: nothing new today.`,
  ],
  [
    "removed",
    { instance: { state: "removed", map_index: 7, reason: "removed by trigger rule all_success" } },
    'Task "load" [7] was removed: removed by trigger rule all_success.',
  ],
  [
    "success",
    failed({ outcome: "success" }, { instance: { state: "success", try_number: 2 } }),
    `Task "load" succeeded on try 2 of 3 after 20 s ${END}.`,
  ],
  ["success", { instance: { state: "success", end_date: at(-10) } }, `Task "load" succeeded ${END}.`],
  [
    "failed",
    { instance: { state: "failed", reason: "marked failed by admin" } },
    'Task "load" failed: marked failed by admin.',
  ],
  [
    "task_failed",
    failed(
      {
        outcome: "task_failed",
        outcome_reason: "the task threw",
        exit_code: 1,
        error: { name: "RangeError", message: "no rows", stack: null },
      },
      { log: ["reading", "no rows", "bye"].map((event) => ({ level: "error", event })) },
    ),
    `Task "load" failed on try 3 of 3 (its code failed, exit code 1) after 20 s ${END}: the task threw (RangeError: no rows); its log ends with "reading" / "bye"; correct the task and run it again.`,
  ],
  [
    "out_of_memory",
    failed(
      { outcome: "out_of_memory", outcome_reason: "The container reached its memory limit of 64Mi", exit_code: 137 },
      {
        instance: {
          reason: "The container reached its memory limit of 64Mi (the cluster failed it 4 times, its budget is 3)",
        },
      },
    ),
    `Task "load" failed on try 3 of 3 (out of memory, exit code 137) after 20 s ${END}: The container reached its memory limit of 64Mi (the cluster failed it 4 times, its budget is 3); give it more memory.`,
  ],
  [
    "task_failed",
    failed({ outcome: "task_failed", outcome_reason: "The container was ended by SIGKILL", exit_code: 137 }),
    `Task "load" failed on try 3 of 3 (its code failed, exit code 137) after 20 s ${END}: The container was ended by SIGKILL; see whether its node ran out of memory, or a probe of its pod or the task itself killed it.`,
  ],
  [
    "launch_refused",
    failed({
      outcome: "launch_refused",
      started_at: null,
      outcome_reason: 'pods is forbidden: cannot create pods in namespace "etl"',
    }),
    `Task "load" failed on try 3 of 3 (launch refused) ${END}: pods is forbidden: cannot create pods in namespace "etl"; grant or correct what the reason names.`,
  ],
  [
    "cancelled",
    failed({ outcome: "cancelled", outcome_reason: "admin stopped it" }),
    `Task "load" failed on try 3 of 3 (cancelled) after 20 s ${END}: admin stopped it.`,
  ],
];
// The remaining ends differ in their names and advice alone.
const OTHER_ENDS = [
  "timed_out",
  "exited_silently",
  "evicted",
  "preempted",
  "drained",
  "node_lost",
  "image_error",
  "configuration_error",
  "launch_failed",
  "start_timeout",
  "deleted",
  "lost",
] as const;

it.each(CASES)("%s", (cause, change, sentence) => {
  expect(explainInstance(makeSituation(change), NOW)).toEqual({ cause, sentence });
});

it.each(OTHER_ENDS)("%s", (outcome) => {
  const { cause, sentence } = explainInstance(makeSituation(failed({ outcome, outcome_reason: "WHY" })), NOW);
  expect(cause).toBe(outcome);
  expect(sentence).toMatch(/^Task "load" failed on try 3 of 3 \([a-z ]+\) after 20 s at \S+: WHY; [a-zA-Z',_ ]+\.$/);
});

it.each([
  [
    "The node was low on resource: memory. Container base was using 1Gi, request is 96Mi",
    "let its pod request what it uses",
  ],
  ['Container base exceeded its local ephemeral storage limit "1Gi"', "raise the limit that is named"],
  ["Pod ephemeral local storage usage exceeds the total limit of containers 1Gi", "raise the limit that is named"],
  ['Usage of EmptyDir volume "tmp" exceeds the limit "10Mi"', "raise the limit that is named"],
  ["The node n refused the pod (OutOfcpu)", "run it again when the cluster is well"],
])("an eviction because of %s has its own advice", (said, advice) => {
  const change = failed({ outcome: "evicted", outcome_reason: `The node n evicted the pod: ${said}` });
  expect(explainInstance(makeSituation(change), NOW).sentence).toContain(`; ${advice}`);
});

it("says an event no second time, whatever Kubernetes puts before the cause", () => {
  const event = 'Failed: Failed to pull image "x:1": no such host';
  const say = (outcome_reason: string) =>
    explainInstance(makeSituation(failed({ outcome: "image_error", outcome_reason, last_event: event })), NOW).sentence;
  expect(say("The node cannot get the image x:1 (ErrImagePull: no such host)")).not.toContain("last event");
  expect(say("ImagePullBackOff")).toContain(`its pod's last event was ${event}`);
});

it("has a sentence for every end", () => {
  expect(new Set<Cause>([...CASES.map(([cause]) => cause), ...OTHER_ENDS])).toEqual(new Set<Cause>(END_CAUSES));
});

test("a reason of many lines or without end stays one sentence", () => {
  const reason = `Error: a\n  at b;\n${"x".repeat(5_000)}\n`;
  const { sentence } = explainInstance(makeSituation(failed({ outcome: "task_failed", outcome_reason: reason })), NOW);
  expect(sentence).toContain(": Error: a at b; xxx");
  expect(sentence.length).toBeLessThan(800);
});

test("an out-of-memory kill says the last known peak, other ends do not", () => {
  const say = (outcome: "out_of_memory" | "task_failed") =>
    explainInstance(
      makeSituation(
        failed({ outcome, outcome_reason: "it reached its memory limit of 128Mi", memory_peak: 101_711_871 }),
      ),
      NOW,
    ).sentence;
  expect(say("out_of_memory")).toContain(": it reached its memory limit of 128Mi; its last known peak was 97Mi; give");
  expect(say("task_failed")).not.toContain("peak");
});
