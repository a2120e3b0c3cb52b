import { describe, expect, it, test } from "vitest";
import { traceAttempt } from "./attempt-timeline.ts";
import { explainInstance } from "./explain.ts";
import { type AttemptSituation, CAUSES, type Cause, type InstanceSituation, type Situation } from "./situation.ts";

const NOW = new Date("2026-03-01T12:00:00.000Z");
const at = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);

const INSTANCE: InstanceSituation = {
  task_id: "load",
  map_index: -1,
  state: null,
  try_number: 1,
  max_tries: 3,
  infrastructure_failures: 0,
  same_try: false,
  retry_at: null,
  scheduled_at: null,
  start_date: null,
  end_date: null,
  reason: null,
};
const ATTEMPT: AttemptSituation = {
  state: "queued",
  executor: "kubernetes",
  namespace: "etl",
  pod_name: "load-1",
  hostname: null,
  claimed_by: null,
  claimed_until: null,
  launch_failures: 0,
  launch_after: null,
  queued_at: at(-60),
  launched_at: null,
  pod_scheduled_at: null,
  image_pulled_at: null,
  container_started_at: null,
  started_at: null,
  heartbeat_at: null,
  finished_at: null,
  waiting_kind: null,
  waiting_reason: null,
  waiting_since: null,
  stop_reason: null,
  stop_requested_at: null,
  outcome: null,
  outcome_reason: null,
  exit_code: null,
  error: null,
};
const SITUATION: Situation = {
  instance: INSTANCE,
  run: { dag_run_id: "r1", state: "running", run_after: at(-60), running: 1, ahead: 0 },
  dag: { dag_id: "sales", is_paused: false, max_active_runs: 2 },
  upstream: { trigger_rule: "all_success", groups: [], failed: [] },
  attempt: null,
  log: [],
  scheduler: { alive: true, seen_at: at(-1) },
  limits: { infrastructure_budget: 3, heartbeat_interval: 5, fence: 330 },
};

interface Change {
  instance?: Partial<InstanceSituation>;
  run?: Partial<Situation["run"]>;
  dag?: Partial<Situation["dag"]>;
  upstream?: Partial<Situation["upstream"]>;
  attempt?: Partial<AttemptSituation>;
  log?: Situation["log"];
  scheduler?: Situation["scheduler"];
}
const make = (change: Change): Situation => ({
  ...SITUATION,
  instance: { ...INSTANCE, ...change.instance },
  run: { ...SITUATION.run, ...change.run },
  dag: { ...SITUATION.dag, ...change.dag },
  upstream: { ...SITUATION.upstream, ...change.upstream },
  attempt: change.attempt ? { ...ATTEMPT, ...change.attempt } : null,
  log: change.log ?? [],
  scheduler: change.scheduler ?? SITUATION.scheduler,
});

const DEAD = { alive: false, seen_at: at(-90) };
const queued = (attempt: Partial<AttemptSituation>): Change => ({ instance: { state: "queued" }, attempt });
const launched = (attempt: Partial<AttemptSituation>): Change =>
  queued({ state: "launched", launched_at: at(-50), waiting_since: at(-45), ...attempt });
const running = (attempt: Partial<AttemptSituation>): Change => ({
  instance: { state: "running" },
  attempt: { state: "running", hostname: "node-1", started_at: at(-300), heartbeat_at: at(-4), ...attempt },
});
const failed = (attempt: Partial<AttemptSituation>, more: Change = {}): Change => ({
  ...more,
  instance: { state: "failed", try_number: 3, ...more.instance },
  attempt: { state: "finished", started_at: at(-30), finished_at: at(-10), ...attempt },
});
const END = "at 2026-03-01T11:59:50Z";

const CASES: [Cause, Change, string][] = [
  [
    "run_not_due",
    { run: { state: "queued", run_after: at(3 * 3600) } },
    'Task "load" waits because run "r1" of DAG "sales" begins at 2026-03-01T15:00:00Z (in 3 h 0 min).',
  ],
  [
    "run_limit",
    { run: { state: "queued", running: 2, ahead: 1 } },
    'Task "load" waits because run "r1" of DAG "sales" is queued: 2 runs of the DAG are running and 1 queued before it, and max_active_runs is 2; let them end, or raise maxActiveRuns in the DAG\'s file.',
  ],
  [
    "next_pass",
    { run: { state: "queued", running: 1 } },
    'Task "load" goes on with the scheduler\'s next pass, because run "r1" of DAG "sales" is about to start.',
  ],
  [
    "run_ended",
    { run: { state: "failed" } },
    'Task "load" did not run because run "r1" of DAG "sales" has ended (failed); trigger a new run to run it.',
  ],
  [
    "dag_paused",
    { run: { state: "queued", run_after: at(60) }, dag: { is_paused: true }, scheduler: DEAD },
    'Task "load" waits because DAG "sales" is paused; unpause it to go on.',
  ],
  [
    "dag_paused",
    { instance: { state: "scheduled", reason: "waits for a slot: old" }, dag: { is_paused: true } },
    'Task "load" waits because DAG "sales" is paused; unpause it to go on.',
  ],
  [
    "no_scheduler",
    { run: { state: "queued" }, scheduler: DEAD },
    'Task "load" waits because no scheduler is alive: the last sign of a scheduler came at 2026-03-01T11:58:30Z, 90 s ago; start one, or see its log for why it ended.',
  ],
  [
    "no_scheduler",
    { ...queued({}), scheduler: { alive: false, seen_at: null } },
    'Task "load" waits because no scheduler is alive: no scheduler has been heard of for an hour; start one, or see its log for why it ended.',
  ],
  [
    "upstream",
    {
      upstream: {
        trigger_rule: "all_done",
        groups: [
          { state: "success", count: 7, names: ["a", "b", "c"] },
          { state: "running", count: 1, names: ["extract"] },
          { state: null, count: 4, names: ["p", "q", "r"] },
        ],
      },
    },
    'Task "load" waits for 5 tasks: "extract" (running), "p" (waiting), "q" (waiting) and 2 more, because its trigger rule is all_done.',
  ],
  [
    "upstream",
    {
      instance: { map_index: 4 },
      dag: { is_paused: true },
      upstream: { groups: [{ state: "up_for_retry", count: 1, names: ["extract"] }] },
    },
    'Task "load" [4] waits for task "extract" (up_for_retry), because its trigger rule is all_success; DAG "sales" is paused, so unpause it to go on.',
  ],
  [
    "next_pass",
    { upstream: { groups: [{ state: "success", count: 2, names: ["a", "b"] }] } },
    'Task "load" goes on with the scheduler\'s next pass, because its upstream tasks have ended.',
  ],
  [
    "slot",
    {
      instance: {
        state: "scheduled",
        reason: "waits for a slot: 16 tasks of this run are active, max_active_tasks is 16",
      },
    },
    'Task "load" is ready and waits for a slot: 16 tasks of this run are active, max_active_tasks is 16; let other tasks end, or raise the limit that is named.',
  ],
  [
    "next_pass",
    { instance: { state: "scheduled" } },
    'Task "load" goes on with the scheduler\'s next pass, because it is ready.',
  ],
  [
    "retry",
    {
      instance: { state: "up_for_retry", retry_at: at(25), reason: "try 2 of 3 follows in 30 s: Error: no" },
      attempt: { state: "finished", outcome: "task_failed", outcome_reason: "Error: no." },
    },
    'Task "load" is tried again at 2026-03-01T12:00:25Z (in 25 s), as try 2 of 3, because try 1 failed: Error: no.',
  ],
  [
    "retry",
    {
      instance: { state: "up_for_retry", retry_at: at(5), same_try: true, infrastructure_failures: 1 },
      attempt: { state: "finished", outcome: "drained", outcome_reason: "Node n1 was drained" },
    },
    'Task "load" starts again at 2026-03-01T12:00:05Z (in 5 s) without spending a retry, after fault 1 of the 3 that the cluster may cause: Node n1 was drained.',
  ],
  [
    "no_scheduler",
    { instance: { state: "up_for_retry", retry_at: at(-5) }, scheduler: DEAD },
    'Task "load" waits because no scheduler is alive: the last sign of a scheduler came at 2026-03-01T11:58:30Z, 90 s ago; start one, or see its log for why it ended.',
  ],
  [
    "reschedule",
    { instance: { state: "up_for_reschedule", retry_at: at(5) } },
    'Task "load" looks again at 2026-03-01T12:00:05Z (in 5 s).',
  ],
  ["deferred", { instance: { state: "deferred" } }, 'Task "load" waits for an event without a pod.'],
  [
    "restarting",
    { instance: { state: "restarting" } },
    'Task "load" was restarted, and its old attempt is being stopped.',
  ],
  ["launch_queue", queued({}), 'Task "load" waits since 2026-03-01T11:59:00Z (60 s ago) for a scheduler to launch it.'],
  ["launch_queue", { instance: { state: "queued" } }, 'Task "load" is queued, and its attempt is being made.'],
  [
    "launching",
    queued({ state: "launching", claimed_by: "scheduler-a", claimed_until: at(30) }),
    'Task "load" is being launched by scheduler "scheduler-a".',
  ],
  [
    "launching",
    queued({ state: "launching", claimed_by: "scheduler-a", claimed_until: at(-1) }),
    'Task "load" is launched by another scheduler in a moment, because scheduler "scheduler-a" claimed it and fell silent.',
  ],
  [
    "launch_put_off",
    queued({ launch_failures: 4, launch_after: at(8), waiting_reason: "exceeded quota: pods=10." }),
    'Task "load" could not be launched, 4 times so far, and is launched again at 2026-03-01T12:00:08Z (in 8 s): exceeded quota: pods=10.',
  ],
  [
    "unschedulable",
    launched({
      waiting_kind: "unschedulable",
      waiting_reason: "No node can take the pod: 0/1 nodes: Insufficient cpu.",
    }),
    'Task "load" waits since 2026-03-01T11:59:15Z (45 s ago) for a node for pod "load-1" in namespace "etl": No node can take the pod: 0/1 nodes: Insufficient cpu; free or add nodes, or let the task\'s pod ask for less.',
  ],
  [
    "image",
    launched({ waiting_kind: "image", waiting_reason: "The node cannot get the image x:1 (ErrImagePull)" }),
    'Task "load" waits since 2026-03-01T11:59:15Z (45 s ago) because pod "load-1" in namespace "etl" gets no image: The node cannot get the image x:1 (ErrImagePull); check the image\'s name, its registry and its pull secret.',
  ],
  [
    "configuration",
    launched({ waiting_kind: "configuration", waiting_reason: 'secret "key" not found' }),
    'Task "load" waits since 2026-03-01T11:59:15Z (45 s ago) because pod "load-1" in namespace "etl" cannot be started: secret "key" not found; create what is missing, or correct the task\'s pod.',
  ],
  [
    "starting",
    launched({ waiting_kind: "starting", waiting_reason: "n1 is pulling the image and creating the container" }),
    'Task "load" waits since 2026-03-01T11:59:15Z (45 s ago) for pod "load-1" in namespace "etl" to start: n1 is pulling the image and creating the container.',
  ],
  [
    "starting",
    launched({ container_started_at: at(-40) }),
    'Task "load" waits for its worker to report: pod "load-1" in namespace "etl" has started its container, 40 s ago; see the pod\'s log, and whether it reaches the API at WINDLASS_API_URL.',
  ],
  [
    "starting",
    launched({ executor: "local", launched_at: at(-1) }),
    'Task "load" waits for its worker to report: its process was launched, 1 s ago.',
  ],
  [
    "running",
    running({}),
    'Task "load" runs on "node-1" since 2026-03-01T11:55:00Z (5 min 0 s ago), as try 1 of 3; its last heartbeat came 4 s ago.',
  ],
  [
    "silent",
    running({ heartbeat_at: at(-120) }),
    'Task "load" runs on "node-1" since 2026-03-01T11:55:00Z, but its last heartbeat came 2 min 0 s ago: after 5 min 30 s of silence it is given up and replaced; see whether its pod still runs and reaches the API.',
  ],
  [
    "stopping",
    running({ stop_requested_at: at(-2), stop_reason: "admin stopped it" }),
    'Task "load" is being stopped since 2026-03-01T11:59:58Z (2 s ago): admin stopped it.',
  ],
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
    `Task "load" failed on try 3 of 3 (out of memory, exit code 137) after 20 s ${END}: The container reached its memory limit of 64Mi (the cluster failed it 4 times, its budget is 3); give it a higher memory limit.`,
  ],
  [
    "launch_refused",
    failed({
      outcome: "launch_refused",
      started_at: null,
      outcome_reason: 'pods is forbidden: cannot create pods in namespace "etl"',
    }),
    `Task "load" failed on try 3 of 3 (launch refused) ${END}: pods is forbidden: cannot create pods in namespace "etl"; grant or correct what is named.`,
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

describe("each cause in its sentence", () => {
  it.each(CASES)("%s", (cause, change, sentence) => {
    expect(explainInstance(make(change), NOW)).toEqual({ cause, sentence });
  });

  it.each(OTHER_ENDS)("%s", (outcome) => {
    const { cause, sentence } = explainInstance(make(failed({ outcome, outcome_reason: "WHY" })), NOW);
    expect(cause).toBe(outcome);
    expect(sentence).toMatch(/^Task "load" failed on try 3 of 3 \([a-z ]+\) after 20 s at \S+: WHY; [a-zA-Z',_ ]+\.$/);
  });

  it("all of them", () => {
    expect(new Set([...CASES.map(([cause]) => cause), ...OTHER_ENDS])).toEqual(new Set(CAUSES));
  });
});

test("a reason of many lines or without end stays one sentence", () => {
  const reason = `Error: a\n  at b;\n${"x".repeat(5_000)}\n`;
  const { sentence } = explainInstance(make(failed({ outcome: "task_failed", outcome_reason: reason })), NOW);
  expect(sentence).toContain(": Error: a at b; xxx");
  expect(sentence.length).toBeLessThan(800);
});

test("the timeline has what was reached, in order", () => {
  const attempt = { ...ATTEMPT, launched_at: at(-50), container_started_at: at(-40), finished_at: at(-1) };
  expect(traceAttempt(attempt)).toEqual([
    { event: "queued", at: at(-60) },
    { event: "launched", at: at(-50) },
    { event: "started", at: at(-40) },
    { event: "finished", at: at(-1) },
  ]);
});
