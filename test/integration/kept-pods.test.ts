// Ten thousand pods that are kept, and what they cost a scheduler: nothing, at its start and in its passes.

import { afterEach, beforeEach, expect, test } from "vitest";
import { LABELS } from "../../src/kubernetes/pod-labels.ts";
import { objectAt, textsAt } from "../../src/kubernetes/read-json.ts";
import { cleanFinished } from "../../src/scheduler/clean-finished.ts";
import { createLauncher } from "../../src/scheduler/launch-queued.ts";
import { lookAtEvents } from "../../src/scheduler/look-at-events.ts";
import { removeKept } from "../../src/scheduler/remove-kept.ts";
import { rescueLost } from "../../src/scheduler/rescue-lost.ts";
import { stopAttempts } from "../../src/scheduler/stop-attempts.ts";
import { terminated } from "../support/api-server.ts";
import { openPassesRig, type PassesRig } from "../support/passes-rig.ts";

const KEPT = 10_000;
const SOON = { timeout: 15_000 };

let passes: PassesRig;
let { rig, bundle, executor, begin, query } = {} as PassesRig;
beforeEach(async () => {
  passes = await openPassesRig();
  ({ rig, bundle, executor, begin, query } = passes);
});
afterEach(() => passes.close());

/** Milliseconds that the median of some passes takes, over all that look at attempts and pods. */
async function measurePasses(): Promise<number> {
  const { context } = bundle;
  const launcher = createLauncher(context, () => {});
  const times: number[] = [];
  for (let pass = 0; pass < 15; pass += 1) {
    const began = performance.now();
    await launcher.runOnce();
    await cleanFinished(context);
    await removeKept(context);
    await rescueLost(context);
    await stopAttempts(context);
    await lookAtEvents(context);
    times.push(performance.now() - began);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}

/** Milliseconds until it watches, and what it asked for. */
async function measureStart() {
  rig.server.requests.length = 0;
  const began = performance.now();
  await executor.start();
  await expect.poll(() => rig.server.levers.open.size, { ...SOON, interval: 5 }).toBe(1);
  return { ms: performance.now() - began, counts: rig.server.counts() };
}

/** One attempt whose pod is kept for a day, and the others as its copies: rows and pods. */
async function keepMany(): Promise<void> {
  const { store, context } = bundle;
  await begin(1, { pods: { keep: "always", for: 86_400 } });
  const launcher = createLauncher(context, () => {});
  await launcher.runOnce();
  await launcher.drain();
  const [attempt] = await query<{ id: string; pod_name: string }>("select id, pod_name from attempt");
  await store.finish(await store.start(attempt?.id ?? ""));
  await rig.setStatus(attempt?.pod_name ?? "", terminated(0));
  expect(await cleanFinished(context)).toMatchObject({ counts: { asked: 1, gone: 1 } });
  const more = `jsonb_build_object('%', gen_random_uuid(), 'epoch', n, 'pod_name', a.pod_name || n)`;
  const copies = (table: string, id: string) =>
    query(
      `insert into ${table} select (jsonb_populate_record(a, ${more.replace("%", id)})).* from ${table} a, generate_series(2, ${KEPT}) n`,
    );
  await copies("attempt", "id");
  await copies("kept_pod", "attempt_id");
  await query("analyze attempt");
  await query("analyze kept_pod");
  const [pod] = rig.server.objects.list("pods", "default");
  const labels = textsAt(objectAt(pod, "metadata"), "labels");
  expect(labels[LABELS.keptBy]).toBeDefined();
  for (let index = 2; index <= KEPT; index += 1) {
    rig.server.objects.create({ resource: "pods", namespace: "default", name: `kept-${index}` }, { ...pod });
  }
}

test("10,000 kept pods cost a start and a pass nothing", async () => {
  const before = await measurePasses();
  await keepMany();
  expect(await query("select count(*) from kept_pod")).toEqual([{ count: KEPT }]);
  const after = await measurePasses();
  const start = await measureStart();
  console.log(
    `a pass: ${before.toFixed(1)} ms, with ${KEPT} kept pods ${after.toFixed(1)} ms; a start: ${start.ms.toFixed(0)} ms`,
  );
  expect(after).toBeLessThan(3 * before + 20);
  expect(start.counts).toEqual({ list: 1, watch: 1 });
  // Of which the fake server's own search through its pods is most.
  expect(start.ms).toBeLessThan(5_000);
}, 60_000);
