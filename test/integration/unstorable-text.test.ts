// What a task prints and what a cluster says reach reasons: no character of it may keep an end from being written.

import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { claimAttempts, recordLaunches } from "../../src/store/attempt-launch.ts";
import { recordObservations } from "../../src/store/observations.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

const BAD = "half a pair \ud800, NUL \0.";
const GOOD = "half a pair \ufffd, NUL \u2400.";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
  await store.save(dagOf("d", [taskOf("a")]));
});
afterEach(() => store.close());

async function claimOne() {
  await store.trigger("d");
  await store.settle();
  return claimNext();
}

async function claimNext() {
  const claim = { executor: "local", holder: "me", limit: 1, leaseMs: 60_000 };
  const [attempt] = await claimAttempts(store.db, claim, store.now());
  if (!attempt) throw new Error("nothing to claim");
  return attempt;
}

const observe = (attempt: { attempt_id: string; epoch: number }, more: object) =>
  recordObservations(
    store.db,
    store.rules,
    {
      executor: "local",
      observations: [
        {
          attempt_id: attempt.attempt_id,
          epoch: attempt.epoch,
          namespace: null,
          pod_uid: "uid",
          pod_scheduled_at: null,
          container_started_at: null,
          waiting: null,
          outcome: null,
          container: null,
          process_ended: true,
          gone: false,
          ...more,
        },
      ],
      position: null,
      lease: null,
    },
    store.now(),
  );

it("an observed wait and end", async () => {
  const attempt = await claimOne();
  await observe(attempt, { waiting: { kind: "image", reason: BAD } });
  expect((await store.db.query({ text: "select waiting_reason from attempt" })).rows).toEqual([
    { waiting_reason: GOOD },
  ]);
  await observe(attempt, { outcome: { kind: "task_failed", reason: BAD, exit_code: 1, error: null } });
  const { rows } = await store.db.query({
    text: "select outcome_reason, reason from attempt a join task_instance t on t.id = a.task_instance_id",
  });
  expect(rows).toEqual([{ outcome_reason: GOOD, reason: GOOD }]);
});

it("a launch that is put off, and one that is refused", async () => {
  const { attempt_id } = await claimOne();
  const putOff = { attempt_id, kind: "put_off" as const, reason: BAD, launch_after: store.now() };
  await recordLaunches(store.db, store.rules, "me", [putOff], store.now());
  await claimNext();
  const outcome = { kind: "launch_refused" as const, reason: BAD, exit_code: null, error: null };
  await recordLaunches(store.db, store.rules, "me", [{ attempt_id, kind: "ended", outcome }], store.now());
  const { rows } = await store.db.query({ text: "select outcome, outcome_reason from attempt" });
  expect(rows).toEqual([{ outcome: "launch_refused", outcome_reason: GOOD }]);
});

it("a worker's report and its lines", async () => {
  const { attempt_id } = await claimOne();
  const started = await store.start(attempt_id, randomUUID());
  await store.finish(started, "success", { [BAD]: BAD });
  expect((await store.db.query({ text: "select value from task_result" })).rows).toEqual([{ value: { [BAD]: BAD } }]);
});
