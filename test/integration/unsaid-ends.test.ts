// Ends that the attempt itself could not tell: what a person reads of them in the task instance, in the attempt, and as the last
// line of the task's log. Through the scheduler's own passes and a real store.

import { afterEach, beforeEach, expect, it } from "vitest";
import type { Observation } from "../../src/core/observation.ts";
import type { OutcomeKind } from "../../src/core/outcome.ts";
import { cleanFinished } from "../../src/scheduler/clean-finished.ts";
import { rescueLost } from "../../src/scheduler/rescue-lost.ts";
import { appendLogs } from "../../src/store/logs.ts";
import { createPostgresObjects } from "../../src/store/postgres-objects.ts";
import { LOG_START, readTryLog } from "../../src/store/try-log.ts";
import { openSchedulerBundle, type SchedulerBundle } from "../support/scheduler-bundle.ts";
import { dagOf, taskOf } from "../support/store-bundle.ts";

const EVENT = "FailedScheduling: 0/3 nodes are available";

let bundle: SchedulerBundle;
let { store, context, launchOne, see } = {} as SchedulerBundle;
beforeEach(async () => {
  const readEvents = async () => ({ last: { at: "2026-11-21T08:00:30Z", text: EVENT }, image_pulled_at: null });
  bundle = await openSchedulerBundle({ readEvents });
  ({ store, context, launchOne, see } = bundle);
  store.rules.infrastructureBudget = 0;
  await store.save(dagOf("d", [taskOf("a")]));
  await store.trigger("d");
});
afterEach(() => store.close());

const end = (kind: OutcomeKind, reason: string, exit_code: number | null): Partial<Observation> => ({
  outcome: { kind, reason, exit_code, error: null },
  process_ended: true,
});
const waiting = (kind: "unschedulable" | "image", reason: string): Partial<Observation> => ({
  waiting: { kind, reason },
});

async function readLog(): Promise<[string, string][]> {
  const { rows } = await store.db.query<{ id: string }>({ text: "select id from task_instance" });
  const lines = await readTryLog(store.db, createPostgresObjects(store.db), rows[0]?.id ?? "", 1, LOG_START, 100);
  return lines.map(({ level, event }) => [level, event]);
}

it.each<[string, Partial<Observation>, RegExp, number | null]>([
  [
    "out of memory",
    end("out_of_memory", "The container was killed because it reached its memory limit of 96Mi", 137),
    /memory limit of 96Mi/,
    137,
  ],
  ["killed", end("task_failed", "The container was ended by SIGKILL (exit code 137)", 137), /by SIGKILL/, 137],
  ["evicted", end("evicted", "Node n evicted the pod: low on memory", null), /evicted the pod: low on memory/, null],
  ["image", waiting("image", "The image cannot be pulled (ImagePullBackOff)"), /ImagePullBackOff/, null],
  ["unschedulable", waiting("unschedulable", "No node has room"), /No node has room/, null],
])(
  "%s: the reason, the exit code and the last event are in the instance, the attempt and the log",
  async (_, seen, reason, code) => {
    const order = await launchOne();
    await see(order, seen);
    if (seen.waiting) {
      store.pass(601);
      await rescueLost(context);
    }
    await cleanFinished(context);
    const { rows } = await store.db.query({
      text: `select i.state, i.reason, a.outcome_reason, a.exit_code, a.last_event
      from attempt a join task_instance i on i.id = a.task_instance_id`,
    });
    const said = expect.stringMatching(reason);
    expect(rows).toEqual([{ state: "failed", reason: said, outcome_reason: said, exit_code: code, last_event: EVENT }]);
    expect(await readLog()).toEqual([["error", said]]);
    expect((await readLog())[0]?.[1]).toContain(`; the last event of its pod: ${EVENT}`);
  },
);

it("such a line is the last one, once, also for who reads on from where the worker's lines ended", async () => {
  const order = await launchOne();
  await store.start(order.attempt_id);
  const timestamp = store.now().toISOString();
  const lines = ["one", "two"].map((event, seq) => ({ seq, timestamp, level: "info", event }));
  await appendLogs(store.db, order, lines);
  expect(await readLog()).toHaveLength(2);
  await see(order, end("evicted", "Node n evicted the pod", null));
  const log = await readLog();
  expect(log.map(([, event]) => event)).toEqual(["one", "two", "Node n evicted the pod"]);
  const { rows } = await store.db.query<{ id: string }>({ text: "select id from task_instance" });
  const from = async (seq: number) =>
    readTryLog(store.db, createPostgresObjects(store.db), rows[0]?.id ?? "", 1, { epoch: order.epoch, seq }, 100);
  const [line, ...others] = await from(1);
  expect([line?.event, others]).toEqual(["Node n evicted the pod", []]);
  expect(await from(line?.seq ?? -1)).toEqual([]);
});

it("what the worker has told itself is not said again", async () => {
  const order = await launchOne();
  await store.finish(await store.start(order.attempt_id), "success");
  expect(await readLog()).toEqual([]);
});
