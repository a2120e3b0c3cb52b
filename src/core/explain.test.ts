import { expect, it, test } from "vitest";
import { traceAttempt } from "./attempt-timeline.ts";
import { explainInstance } from "./explain.ts";
import { type AttemptSituation, type Cause, WAITING_CAUSES } from "./situation.ts";
import { at, ATTEMPT, type Change, makeSituation, NOW } from "./situation-fixture.ts";

const inGpu = ({ attempt, ...change }: Change, known: boolean): Change => ({
  ...change,
  attempt: { ...attempt, executor: "kubernetes:gpu" },
  scheduler: { alive: true, seen_at: at(-1), executors: ["kubernetes", ...(known ? ["kubernetes:gpu"] : [])] },
});
const DEAD = { alive: false, seen_at: at(-90), executors: [] };
const queued = (attempt: Partial<AttemptSituation>): Change => ({ instance: { state: "queued" }, attempt });
const launched = (attempt: Partial<AttemptSituation>): Change =>
  queued({ state: "launched", launched_at: at(-50), waiting_since: at(-45), ...attempt });
const running = (attempt: Partial<AttemptSituation>): Change => ({
  instance: { state: "running" },
  attempt: { state: "running", hostname: "node-1", started_at: at(-300), heartbeat_at: at(-4), ...attempt },
});
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
    { ...queued({}), scheduler: { alive: false, seen_at: null, executors: [] } },
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
    'Task "load" goes on with the scheduler\'s next pass, because its trigger rule all_success is decided.',
  ],
  [
    "next_pass",
    {
      upstream: {
        trigger_rule: "one_done",
        groups: [
          { state: "running", count: 1, names: ["a"] },
          { state: "failed", count: 1, names: ["b"] },
        ],
      },
    },
    'Task "load" goes on with the scheduler\'s next pass, because its trigger rule one_done is decided.',
  ],
  ["next_pass", {}, 'Task "load" goes on with the scheduler\'s next pass, because it waits for no task.'],
  [
    "run_key",
    {
      run: {
        state: "queued",
        reason:
          'waits for others with the same key "acme": run "r0" of this DAG, and the limit of its concurrency is 1',
      },
    },
    'Task "load" waits because run "r1" of DAG "sales" is queued: it waits for others with the same key "acme": run "r0" of this DAG, and the limit of its concurrency is 1; let them end, or raise the limit of concurrency in the DAG\'s file.',
  ],
  [
    "past",
    {
      instance: {
        state: "scheduled",
        waits_for_past: true,
        reason: 'waits for task "load" of the run before, "r0", to succeed or be skipped (depends_on_past)',
      },
    },
    'Task "load" is ready and waits for task "load" of the run before, "r0", to succeed or be skipped (depends_on_past); if that one has failed, clear it or mark it as success.',
  ],
  [
    "slot",
    {
      instance: {
        state: "scheduled",
        reason: 'waits for a slot: there is no pool "db"; create it by "windlass pools set db 1"',
      },
    },
    'Task "load" is ready and waits for a slot: there is no pool "db"; create it by "windlass pools set db 1".',
  ],
  [
    "slot",
    {
      instance: {
        state: "scheduled",
        reason: "waits for a slot: 16 tasks of this run are active, max_active_tasks is 16",
      },
    },
    'Task "load" is ready and waits for a slot: 16 tasks of this run are active, max_active_tasks is 16; let other tasks end, or raise that limit.',
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
      instance: { state: "up_for_retry", retry_at: at(25) },
      attempt: { state: "finished", outcome: "out_of_memory", outcome_reason: "Limit of 2Gi", memory_peak: 2 ** 30 },
    },
    'Task "load" is tried again at 2026-03-01T12:00:25Z (in 25 s), as try 2 of 3, because try 1 failed: Limit of 2Gi; its last known peak was 1Gi.',
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
  [
    "deferred",
    { instance: { state: "deferred", reason: "waits until 2026-03-01T13:00:00Z" } },
    'Task "load" waits until 2026-03-01T13:00:00Z; it holds no pod meanwhile.',
  ],
  [
    "restarting",
    { instance: { state: "restarting" } },
    'Task "load" waits for its old attempt to end: it was cleared.',
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
    "launch_put_off",
    inGpu(queued({ launch_failures: 1, launch_after: at(8), waiting_reason: "The API server is not available" }), true),
    'Task "load" could not be launched in cluster "gpu", once so far, and is launched again at 2026-03-01T12:00:08Z (in 8 s): The API server is not available.',
  ],
  [
    "image",
    inGpu(
      launched({ waiting_kind: "image", waiting_reason: "The node cannot get the image x:1 (ErrImagePull)" }),
      true,
    ),
    'Task "load" waits since 2026-03-01T11:59:15Z (45 s ago) because pod "load-1" in namespace "etl" of cluster "gpu" gets no image: The node cannot get the image x:1 (ErrImagePull); check the image\'s name, its registry and its pull secret.',
  ],
  [
    "no_scheduler",
    inGpu(launched({}), false),
    'Task "load" goes no further for now: no scheduler has the cluster "gpu" in its configuration; add it to the file of WINDLASS_CLUSTERS.',
  ],
  [
    "stopping",
    inGpu(launched({ stop_requested_at: at(-5), stop_reason: "it was cleared" }), false),
    'Task "load" is being stopped since 2026-03-01T11:59:55Z (5 s ago): it was cleared; no scheduler has the cluster "gpu" in its configuration; add it to the file of WINDLASS_CLUSTERS.',
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
    "starting",
    launched({
      waiting_kind: "starting",
      waiting_reason: "node-7 is pulling the image and creating the container",
      last_event: 'FailedMount: secret "key" not found',
      last_event_at: new Date(NOW.getTime() - 20_000),
    }),
    'Task "load" waits since 2026-03-01T11:59:15Z (45 s ago) for pod "load-1" in namespace "etl" to start: node-7 is pulling the image and creating the container (its last event, 20 s ago: FailedMount: secret "key" not found).',
  ],
  [
    "unschedulable",
    launched({
      waiting_kind: "unschedulable",
      waiting_reason: "No node can take the pod: 0/1 nodes: Insufficient cpu.",
      last_event: "FailedScheduling: 0/1 nodes: Insufficient cpu.",
      last_event_at: new Date(NOW.getTime() - 20_000),
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
    "running",
    running({ heartbeat_at: null, hostname: null, waiting_reason: "node-7 does not report" }),
    'Task "load" runs since 2026-03-01T11:55:00Z (5 min 0 s ago), as try 1 of 3; its image has no worker that would report; node-7 does not report.',
  ],
  [
    "running",
    running({ heartbeat_at: null, hostname: null }),
    'Task "load" runs since 2026-03-01T11:55:00Z (5 min 0 s ago), as try 1 of 3; its image has no worker that would report.',
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
];

it.each(CASES)("%s", (cause, change, sentence) => {
  expect(explainInstance(makeSituation(change), NOW)).toEqual({ cause, sentence });
});

it("has a sentence for every cause to wait", () => {
  expect(new Set(CASES.map(([cause]) => cause))).toEqual(new Set(WAITING_CAUSES));
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

test.each([
  ["what it was given and why", 512, 512, 256, "; it was given 512Mi of memory, because 256Mi was not enough."],
  ["nothing of what was learned after its launch", 256, 512, 256, null],
  ["nothing where its pod asks for more anyway", 1024, 512, 256, null],
  ["nothing where the cap is below what was not enough", 200, 200, 256, null],
  ["nothing where its task does not grow", 512, null, 256, null],
  ["nothing before its pod was seen", null, 512, 256, null],
])("a running attempt says %s", (_, limit, floor, killedAt, expected) => {
  const bytes = (mebibytes: number | null) => (mebibytes === null ? null : mebibytes * 2 ** 20);
  const memory = { memory_limit: bytes(limit), memory_floor: bytes(floor), memory_killed_at: bytes(killedAt) };
  const attempt = { state: "running" as const, started_at: at(-30), heartbeat_at: at(-1), ...memory };
  const { sentence } = explainInstance(makeSituation({ instance: { state: "running" }, attempt }), NOW);
  expect(sentence).toContain('Task "load" runs');
  if (expected === null) expect(sentence).not.toContain("memory");
  else expect(sentence).toContain(expected);
});
