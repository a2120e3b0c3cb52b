import { afterAll, beforeAll, expect, test } from "vitest";
import { problem } from "../contract/rest.ts";
import { explanationAnswer } from "../contract/rest-explain.ts";
import { learnMemory } from "../store/memory-floors.ts";
import { recordProcess } from "../store/processes.ts";
import {
  type ApiFixture,
  makeDag,
  makeTask,
  openApiFixture,
  publishDag,
  queueAttempt,
  START,
  triggerRun,
} from "./api-fixture.ts";

const after = (seconds: number) => new Date(START.getTime() + seconds * 1000);

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await openApiFixture();
  const tasks = [
    makeTask("extract"),
    makeTask("fetch", { memory_growth: { factor: 2, max: "1Gi" } }),
    makeTask("clean", { upstream: ["extract"] }),
    makeTask("load", { upstream: ["clean", "fetch"] }),
  ];
  await publishDag(fixture, makeDag("etl", { tasks, max_active_runs: 1 }));
  await recordProcess(fixture.db, { id: "s1", kind: "scheduler", hostname: "h" }, START);
});
afterAll(() => fixture.close());

const explain = (run: string, task: string) =>
  fixture.get(`/api/v2/dags/etl/dagRuns/${run}/taskInstances/${task}/explain`, explanationAnswer);
const change = (run: string, task: string, set: string, values: unknown[] = []) =>
  fixture.db.query({
    text: `update task_instance i set ${set} from dag_run r where r.id = i.run_id and r.dag_run_id = $1 and i.task_id = $2`,
    values: [run, task, ...values],
  });
const setRun = (run: string, state: string) =>
  fixture.db.query({ text: "update dag_run set state = $2 where dag_run_id = $1", values: [run, state] });

test("a queued run: its time, its turn, its DAG's pause", async () => {
  await triggerRun(fixture, "etl", "later", after(3600).toISOString());
  expect(await explain("later", "load")).toMatchObject({
    state: null,
    cause: "run_not_due",
    attempt: 0,
    timeline: [],
    last_lines: [],
  });
  await triggerRun(fixture, "etl", "busy");
  await triggerRun(fixture, "etl", "second");
  await triggerRun(fixture, "etl", "third");
  expect((await explain("busy", "extract")).cause).toBe("next_pass");
  await setRun("busy", "running");
  const { cause, sentence } = await explain("third", "extract");
  expect(cause).toBe("run_limit");
  expect(sentence).toContain("1 run of the DAG is running and 1 queued before it, and max_active_runs is 1");
  await fixture.db.query({ text: "update dag set is_paused = true" });
  expect((await explain("third", "extract")).cause).toBe("dag_paused");
  await fixture.db.query({ text: "update dag set is_paused = false" });
});

test("upstream by name and state, then the root of a failure", async () => {
  await triggerRun(fixture, "etl", "up");
  await setRun("up", "running");
  await change("up", "fetch", "state = 'running'");
  expect(await explain("up", "load")).toMatchObject({
    cause: "upstream",
    sentence:
      'Task "load" waits for 2 tasks: "clean" (waiting) and "fetch" (running), because its trigger rule is all_success.',
  });
  await change("up", "fetch", "state = 'success'");
  await change("up", "extract", "state = 'failed', reason = 'Error: no route', end_date = $3", [START]);
  await change("up", "clean", "state = 'upstream_failed'");
  await change("up", "load", "state = 'upstream_failed'");
  expect(await explain("up", "load")).toMatchObject({
    state: "upstream_failed",
    cause: "upstream_failed",
    sentence:
      'Task "load" never ran because of its trigger rule all_success: upstream has task "clean" (upstream_failed); "extract" failed first: Error: no route.',
  });
});

test("an attempt from its launch to its end, with its timeline and its last errors", async () => {
  await triggerRun(fixture, "etl", "way");
  await setRun("way", "running");
  const place = { dag_id: "etl", dag_run_id: "way", task_id: "extract" };
  const id = await queueAttempt(fixture, place);
  const set = (columns: string, values: unknown[] = []) =>
    fixture.db.query({ text: `update attempt set ${columns} where id = $1`, values: [id, ...values] });

  expect(await explain("way", "extract")).toMatchObject({ cause: "launch_queue", attempt: 1 });
  await set("launch_failures = 2, launch_after = $2, waiting_kind = 'starting', waiting_reason = 'exceeded quota'", [
    after(9),
  ]);
  const putOff = await explain("way", "extract");
  expect(putOff.cause).toBe("launch_put_off");
  expect(putOff.sentence).toContain(
    "2 times so far, and is launched again at 2026-03-01T12:00:09Z (in 9 s): exceeded quota",
  );

  await set(
    `state = 'launched', executor = 'kubernetes', namespace = 'ns', pod_name = 'p', launched_at = $2, waiting_kind = 'unschedulable',
      waiting_reason = 'No node can take the pod: 0/3 nodes', waiting_since = $2`,
    [after(1)],
  );
  expect(await explain("way", "extract")).toMatchObject({ cause: "unschedulable", state: "queued" });

  await set("executor = 'kubernetes:gpu'");
  expect(await explain("way", "extract")).toMatchObject({ cause: "no_scheduler" });
  const scheduler = { id: "s2", kind: "scheduler" as const, hostname: "h", executors: ["kubernetes:gpu" as const] };
  await recordProcess(fixture.db, scheduler, START);
  const remote = await explain("way", "extract");
  expect(remote.sentence).toContain('pod "p" in namespace "ns" of cluster "gpu"');
  await set("executor = 'kubernetes'");

  await set(
    "state = 'running', waiting_kind = null, waiting_reason = null, pod_scheduled_at = $2, container_started_at = $3, started_at = $4, heartbeat_at = $4",
    [after(2), after(3), after(4)],
  );
  await change("way", "extract", "state = 'running'");
  expect((await explain("way", "extract")).cause).toBe("running");

  await fixture.db.query({
    text: `insert into task_log (attempt_id, seq, "timestamp", level, event)
      select $1, n, $2, case when n in (3, 5, 6, 8) then 'error' else 'info' end, 'line ' || n from generate_series(1, 9) n`,
    values: [id, START],
  });
  await set(
    "state = 'finished', outcome = 'task_failed', outcome_reason = 'The container exited with code 3', exit_code = 3, finished_at = $2",
    [after(6)],
  );
  await change("way", "extract", "state = 'failed', reason = 'The container exited with code 3', end_date = $3", [
    after(6),
  ]);
  expect(await explain("way", "extract")).toMatchObject({
    cause: "task_failed",
    sentence:
      'Task "extract" failed on try 1 of 1 (its code failed, exit code 3) after 2 s at 2026-03-01T12:00:06Z: The container exited with code 3; its log ends with "line 5" / "line 6" / "line 8"; correct the task and run it again.',
    last_lines: [{ event: "line 5" }, { event: "line 6" }, { event: "line 8", level: "error" }],
    timeline: [
      { event: "queued", at: after(0).toISOString() },
      { event: "launched", at: after(1).toISOString() },
      { event: "scheduled", at: after(2).toISOString() },
      { event: "started", at: after(3).toISOString() },
      { event: "running", at: after(4).toISOString() },
      { event: "finished", at: after(6).toISOString() },
    ],
  });

  await fixture.db.query({ text: "update task_log set level = 'info' where attempt_id = $1", values: [id] });
  expect((await explain("way", "extract")).last_lines.map((line) => line.event)).toEqual([
    "line 7",
    "line 8",
    "line 9",
  ]);
});

test("the memory that a waiting attempt was given, and why", async () => {
  await triggerRun(fixture, "etl", "memory");
  await setRun("memory", "running");
  const id = await queueAttempt(fixture, { dag_id: "etl", dag_run_id: "memory", task_id: "fetch" });
  expect(await explain("memory", "fetch")).toMatchObject({ memory_limit: null, memory_peak: null });
  const Mi = 2 ** 20;
  await learnMemory(
    fixture.db,
    [{ dag_id: "etl", task_id: "fetch", killed_at: BigInt(256 * Mi), floor: BigInt(512 * Mi) }],
    START,
  );
  await fixture.db.query({
    text: `update attempt set state = 'launched', waiting_kind = 'unschedulable', waiting_reason = 'no node', memory_limit = $2
      where id = $1`,
    values: [id, 512 * Mi],
  });
  const { sentence, memory_limit } = await explain("memory", "fetch");
  expect(memory_limit).toBe(512 * Mi);
  expect(sentence).toContain("it was given 512Mi of memory, because 256Mi was not enough; free or add nodes");
});

test("what does not exist is 404", async () => {
  await fixture.get("/api/v2/dags/etl/dagRuns/way/taskInstances/none/explain", problem, 404);
  const mapped = "/api/v2/dags/etl/dagRuns/way/taskInstances/load/explain?map_index=2";
  expect((await fixture.get(mapped, problem, 404)).detail).toContain("map index 2");
});

test("without a scheduler, whatever waits for one says so", async () => {
  fixture.advance(31);
  expect(await explain("third", "extract")).toMatchObject({ cause: "no_scheduler" });
  await recordProcess(fixture.db, { id: "s1", kind: "scheduler", hostname: "h" }, fixture.now());
  expect((await explain("third", "extract")).cause).toBe("run_limit");
});
