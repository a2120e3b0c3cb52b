// The tables of who may do what, and what clearing, marking and running again change.

import { describe, expect, it, test } from "vitest";
import { dagOf, taskOf } from "../../test/support/store-bundle.ts";
import { ALLOWED_ON_INSTANCE, ALLOWED_ON_RUN } from "./allowed-actions.ts";
import { indexDag } from "./graph.ts";
import type { InstanceSnapshot, RunSnapshot } from "./intervention.ts";
import { type ClearRequest, planClear } from "./plan-clear.ts";
import { planMark, planRunMark } from "./plan-mark.ts";
import { planRerun } from "./plan-rerun.ts";
import { isFinishedTaskState, type TaskState } from "./states.ts";
import { cancelledBecause, decideStop, judgeStopped } from "./stop-attempt.ts";

const MAP = { over: [{ name: "item", array: { kind: "value" as const, value: [1, 2] } }] };
const GRAPH = indexDag(
  dagOf("d", [taskOf("a", [], { retries: 2 }), taskOf("b", ["a"]), taskOf("c", ["b"]), taskOf("side")]),
);

function instanceOf(task_id: string, state: TaskState | null, more: Partial<InstanceSnapshot> = {}): InstanceSnapshot {
  const { map_index = -1 } = more;
  return {
    id: `${task_id}${map_index}`,
    task_id,
    map_index,
    state,
    try_number: 1,
    max_tries: 1,
    attempt: null,
    ...more,
  };
}
const RUNNING = { attempt: { attempt_id: "x", state: "running" as const } };
const QUEUED = { attempt: { attempt_id: "x", state: "queued" as const } };

const runOf = (instances: InstanceSnapshot[], state: RunSnapshot["state"] = "running"): RunSnapshot => ({
  id: 1,
  dag_id: "d",
  dag_run_id: "r",
  state,
  version_id: 1,
  graph: GRAPH,
  instances,
});
const ENDED = [
  instanceOf("a", "success"),
  instanceOf("b", "failed"),
  instanceOf("c", "upstream_failed"),
  instanceOf("side", "skipped"),
];
const REQUEST: ClearRequest = {
  tasks: [{ task_id: "b", map_index: null }],
  upstream: false,
  downstream: false,
  only_failed: false,
  only_running: false,
  newest: null,
  reason: "cleared by ada",
};
const changesOf = (plan: { changes: { task_id: string; from: TaskState | null; to: TaskState | null }[] }) =>
  plan.changes.map(({ task_id, from, to }) => `${task_id}: ${from ?? "none"} → ${to ?? "none"}`);

describe("clearing", () => {
  const all = [...GRAPH.tasks.keys()].map((task_id) => ({ task_id, map_index: null }));
  it.each<[string, Partial<ClearRequest>, string[]]>([
    ["one", {}, ["b: failed → none"]],
    ["with upstream", { upstream: true }, ["a: success → none", "b: failed → none"]],
    ["with downstream", { downstream: true }, ["b: failed → none", "c: upstream_failed → none"]],
    ["only what failed", { tasks: all, only_failed: true }, ["b: failed → none", "c: upstream_failed → none"]],
    ["only what runs", { tasks: all, only_running: true }, []],
    ["everything", { tasks: null }, ENDED.map(({ task_id, state }) => `${task_id}: ${state} → none`)],
    ["what there is not", { tasks: [{ task_id: "z", map_index: null }] }, []],
  ])("%s", (_, change, expected) => {
    const plan = planClear(runOf(ENDED, "failed"), { ...REQUEST, ...change });
    expect(changesOf(plan)).toEqual(expected);
    expect(plan.run_to).toBe(expected.length > 0 ? "queued" : null);
  });

  it("grants the policy's tries on top of those that were had", () => {
    const run = runOf([instanceOf("a", "failed", { try_number: 3, max_tries: 3 })], "failed");
    expect(planClear(run, { ...REQUEST, tasks: null }).changes[0]?.max_tries).toBe(6);
  });

  it.each([
    ["running", RUNNING, "restarting"],
    ["queued", QUEUED, null],
    // It would be executed before what is cleared above it.
    ["scheduled", {}, null],
    ["failed", RUNNING, "restarting"],
    ["up_for_retry", {}, null],
  ] as const)("of %s ends the attempt that there is", (state, more, to) => {
    const [change] = planClear(runOf([instanceOf("b", state, more)]), REQUEST).changes;
    expect(change).toMatchObject({ to, stop: "attempt" in more ? more.attempt : null });
  });

  it("takes one instance of a mapped task, and all of those below", () => {
    const mapped = [0, 1, 2].map((map_index) => instanceOf("b", "success", { map_index }));
    const run = runOf([instanceOf("a", "success"), ...mapped, instanceOf("c", "success")]);
    const plan = planClear(run, { ...REQUEST, tasks: [{ task_id: "b", map_index: 1 }], downstream: true });
    expect(plan.changes.map(({ id }) => id)).toEqual(["b1", "c-1"]);
    const whole = planClear(run, REQUEST);
    expect(whole.changes.map(({ id, to }) => [id, to])).toEqual([0, 1, 2].map((index) => [`b${index}`, "removed"]));
    expect([plan.folded, whole.folded]).toEqual([[], ["b"]]);
  });

  it.each<[string, Partial<ClearRequest>, TaskState, string[]]>([
    ["work", {}, "success", ["up", "near", "work", "down"]],
    ["work", { only_failed: true }, "failed", ["up", "near", "work", "down"]],
    ["work", { only_failed: true }, "success", []],
    ["work", { only_running: true }, "running", ["work"]],
    ["up", {}, "success", ["up", "down"]],
    ["near", {}, "success", ["up", "near", "down"]],
    ["down", {}, "success", ["down"]],
    ["after", {}, "success", ["after"]],
    ["before", {}, "success", ["before"]],
  ])("%s with %j, which ended as %s, takes its setups and teardowns along", (task_id, more, state, expected) => {
    const graph = indexDag(
      dagOf("d", [
        taskOf("before"),
        taskOf("up", ["before"], { role: "setup" }),
        taskOf("near", ["up"], { role: "setup" }),
        taskOf("work", ["near"]),
        taskOf("down", ["up", "near", "work"], { role: "teardown", trigger_rule: "all_done_setup_success" }),
        taskOf("after", ["down"]),
      ]),
    );
    const instances = [...graph.tasks.keys()].map((id) => instanceOf(id, id === task_id ? state : "success"));
    const plan = planClear(
      { ...runOf(instances, "failed"), graph },
      { ...REQUEST, ...more, tasks: [{ task_id, map_index: null }] },
    );
    expect(plan.changes.map((change) => change.task_id)).toEqual(expected);
  });

  it("takes the setup of its own item along in a mapped group", () => {
    const graph = indexDag(
      dagOf(
        "d",
        [
          taskOf("g", [], { kind: "expand", map: MAP }),
          taskOf("g.up", [], { group: "g", role: "setup" }),
          taskOf("g.work", ["g.up"], { group: "g" }),
          taskOf("g.down", ["g.up", "g.work"], {
            group: "g",
            role: "teardown",
            trigger_rule: "all_done_setup_success",
          }),
        ],
        { groups: [{ group_id: "g" }] },
      ),
    );
    const items = ["g.up", "g.work", "g.down"].flatMap((id) =>
      [0, 1].map((map_index) => instanceOf(id, "success", { map_index })),
    );
    const run = { ...runOf([instanceOf("g", "success"), ...items], "success"), graph };
    const plan = planClear(run, { ...REQUEST, tasks: [{ task_id: "g.work", map_index: 1 }] });
    expect(plan.changes.map(({ id, to }) => [id, to])).toEqual(["g.up1", "g.work1", "g.down1"].map((id) => [id, null]));
  });

  it("at a newer version removes what vanished, adds what is new, and revives what is back", () => {
    const graph = indexDag(dagOf("d", [taskOf("a"), taskOf("new", ["a"]), taskOf("back", ["a"])]));
    const run = runOf([...ENDED, instanceOf("back", "removed")], "failed");
    const plan = planClear(run, {
      ...REQUEST,
      tasks: [{ task_id: "new", map_index: null }],
      newest: { version_id: 2, graph },
    });
    expect(plan.move?.added).toEqual(["new"]);
    expect(plan.run_to).toBe("queued");
    expect(changesOf(plan)).toEqual([
      "b: failed → removed",
      "c: upstream_failed → removed",
      "side: skipped → removed",
      "back: removed → none",
    ]);
    expect(planClear(run, { ...REQUEST, newest: { version_id: 1, graph: GRAPH } }).move).toBeNull();
  });
});

describe("marking", () => {
  it.each([
    ["success", ["b: failed → success", "c: upstream_failed → none"], "queued"],
    ["skipped", ["b: failed → skipped", "c: upstream_failed → none"], "queued"],
    ["failed", [], null],
  ] as const)("%s", (as, expected, runTo) => {
    const plan = planMark(runOf(ENDED, "failed"), { ...REQUEST, tasks: [{ task_id: "b", map_index: null }], as });
    expect(changesOf(plan)).toEqual(expected);
    expect(plan.run_to).toBe(runTo);
  });

  it.each([
    ["failed", ["failed", "skipped", "skipped", "failed", "failed", "failed"]],
    ["success", ["success", "success", "success", "success", "success", "success"]],
  ] as const)("a run %s", (state, expected) => {
    const run = runOf([
      instanceOf("a", "running", RUNNING),
      instanceOf("b", null),
      instanceOf("c", "scheduled"),
      instanceOf("side", "up_for_retry"),
      instanceOf("wait", "deferred"),
      instanceOf("poke", "up_for_reschedule"),
    ]);
    const plan = planRunMark(run, state, "by ada");
    expect(plan.changes.map(({ to }) => to)).toEqual(expected);
    expect(plan).toMatchObject({ run_to: state, run_by: "forced" });
    expect(plan.changes[0]?.stop).toEqual(RUNNING.attempt);
  });

  it("a run does not touch what has ended as it should", () => {
    expect(changesOf(planRunMark(runOf(ENDED, "failed"), "success", "by ada"))).toEqual([
      "b: failed → success",
      "c: upstream_failed → success",
    ]);
    expect(changesOf(planRunMark(runOf(ENDED), "failed", "by ada"))).toEqual([]);
  });
});

describe("what is allowed", () => {
  test.each(Object.entries(ALLOWED_ON_INSTANCE))("on %s is what changes something", (name, allowed) => {
    const state = name === "no_status" ? null : (name as TaskState);
    const run = runOf([instanceOf("b", state)]);
    const tasks = REQUEST.tasks ?? [];
    expect(planClear(run, REQUEST).changes.length > 0).toBe(allowed.includes("clear"));
    for (const as of ["success", "failed", "skipped"] as const) {
      expect(planMark(run, { ...REQUEST, tasks, as }).changes.length > 0).toBe(allowed.includes(`mark_${as}`));
      if (state === as) expect(allowed).not.toContain(`mark_${as}`);
    }
    expect(planMark(run, { ...REQUEST, tasks, as: "cancelled" }).changes.length > 0).toBe(allowed.includes("cancel"));
    // What has ended cannot be cancelled, all else can.
    expect(allowed.includes("cancel")).toBe(!isFinishedTaskState(state));
  });

  test.each(Object.entries(ALLOWED_ON_RUN))("on a run that is %s", (state, allowed) => {
    const hasEnded = state === "success" || state === "failed";
    expect(allowed.includes("delete")).toBe(hasEnded);
    expect(allowed.includes("cancel")).toBe(!hasEnded);
    expect(allowed).not.toContain(`mark_${state}`);
  });
});

describe("running again from a task", () => {
  it.each([
    [["b"], ["a", "side"], ["b", "c"]],
    [["a"], ["side"], ["a", "b", "c"]],
    [["c"], ["a", "side"], ["b", "c"]],
    [["side"], ["a"], ["side", "b", "c"]],
  ])("%j takes over %j and executes %j", (chosen, taken, executed) => {
    const plan = planRerun(runOf(ENDED, "failed"), GRAPH, chosen);
    expect(plan.taken.map(({ task_id }) => task_id)).toEqual(taken);
    expect(plan.executed).toEqual(executed);
  });

  it("sets up again what it executes, and takes over what else that was for", () => {
    const graph = indexDag(
      dagOf("d", [
        taskOf("up", [], { role: "setup" }),
        taskOf("first", ["up"]),
        taskOf("second", ["first"]),
        taskOf("down", ["up"], { role: "teardown", trigger_rule: "all_done_setup_success" }),
        taskOf("down_too", ["up", "second"], { role: "teardown", trigger_rule: "all_done_setup_success" }),
      ]),
    );
    const run = {
      ...runOf(
        [...graph.tasks.keys()].map((id) => instanceOf(id, "success")),
        "success",
      ),
      graph,
    };
    const plan = planRerun(run, graph, ["second"]);
    expect(plan.executed).toEqual(
      ["up", "second", "down", "down_too"].toSorted((a, b) => graph.order.indexOf(a) - graph.order.indexOf(b)),
    );
    expect(plan.taken.map(({ task_id }) => task_id)).toEqual(["first"]);
  });

  it("takes maps over with all their instances, and nothing below what is executed", () => {
    const graph = indexDag(dagOf("d", [taskOf("a", [], { map: MAP }), taskOf("b", ["a"]), taskOf("c", ["b"])]));
    const a = [1, 0].map((map_index) => instanceOf("a", "success", { map_index }));
    const left = instanceOf("a", "removed", { map_index: 2 });
    const run = (...more: InstanceSnapshot[]) => ({ ...runOf([...a, left, ...more]), graph });
    const success = { state: "success" };
    expect(planRerun(run(instanceOf("b", "success")), graph, ["c"]).taken).toEqual([
      {
        task_id: "a",
        ...success,
        instances: [
          { map_index: 0, source_id: "a0", ...success },
          { map_index: 1, source_id: "a1", ...success },
        ],
      },
      { task_id: "b", ...success, instances: [{ map_index: -1, source_id: "b-1", ...success }] },
    ]);
    const broken = run(instanceOf("b", "success"), instanceOf("a", "failed", { map_index: 3 }));
    expect(planRerun(broken, graph, ["c"]).taken).toEqual([]);
    expect(planRerun(run(instanceOf("b", "success")), GRAPH, ["c"]).taken).toEqual([]);
  });
});

describe("an unwanted attempt", () => {
  const now = new Date("2026-03-01T12:00:00Z");
  const later = new Date(now.getTime() + 1);
  it.each([
    ["queued", null, "end"],
    ["launching", later, "wait"],
    ["launching", now, "end"],
    ["launched", null, "remove"],
    ["running", null, "remove"],
  ] as const)("that is %s, claimed until %s: %s", (state, claimed_until, step) => {
    expect(decideStop({ state, claimed_until }, now)).toBe(step);
  });

  it.each([
    ["success", "success"],
    ["skipped", "skipped"],
    ["task_failed", "cancelled"],
    ["deleted", "cancelled"],
    ["lost", "cancelled"],
  ] as const)("that ended as %s is %s", (kind, expected) => {
    const outcome = { ...cancelledBecause("seen"), kind };
    expect(judgeStopped(outcome, "cancelled by ada").kind).toBe(expected);
    expect(judgeStopped(outcome, null)).toEqual(outcome);
  });
});
