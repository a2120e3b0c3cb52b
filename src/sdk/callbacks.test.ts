import { dag, sensor, task } from "windlass";
import { expect, test } from "vitest";
import { dagDefinition } from "../contract/definition.ts";
import { callbackKey } from "../core/callback.ts";
import { COMPILED_DAG } from "./compiled.ts";

const note = () => {};

test("callbacks are events in the definition and functions in the bundle, under the keys that are asked for", () => {
  const options = { onFailure: note, onSuccess: note, deadline: { after: "2h", callback: note } } as const;
  const made = dag("d", options, () => {
    task("a", { onRetry: note, onSkip: note }, () => 1)();
    sensor("b", { onFailure: note }, () => true)();
  });
  const compiled = made[COMPILED_DAG];
  const definition = dagDefinition.parse(JSON.parse(JSON.stringify(compiled.definition)));
  expect(definition.callbacks?.toSorted()).toEqual(["deadline", "failure", "success"]);
  expect(definition.deadline).toEqual({ after: 7_200, from: "queued" });
  expect(definition.tasks.map(({ callbacks }) => callbacks)).toEqual([["retry", "skip"], ["failure"]]);
  const wanted = [
    ...(definition.callbacks ?? []).map((event) => callbackKey(null, event)),
    ...definition.tasks.flatMap((each) => (each.callbacks ?? []).map((event) => callbackKey(each.task_id, event))),
  ];
  expect(Object.keys(compiled.callbacks ?? {}).toSorted()).toEqual(wanted.toSorted());
});

test("what cannot be is refused", () => {
  expect(() => task("a", { onFailure: "mail" as never }, () => 1)).toThrow('task "a": onFailure is "mail"');
  const late = (deadline: object) => () => dag("d", { deadline: deadline as never }, () => task("a", () => 1)());
  expect(late({ after: "2h" })).toThrow("deadline.callback is undefined");
  expect(late({ after: 0, callback: note })).toThrow("deadline.after is 0");
  expect(late({ after: 1, from: "end", callback: note })).toThrow('deadline.from is "end"');
  expect(late({ after: 1, callback: note, to: "x" })).toThrow("the option to is unknown");
});
