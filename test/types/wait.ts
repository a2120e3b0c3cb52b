// Waits and sensors: what they take, and what comes of them.

import { approval, dag, externalTask, sensor, task, triggerDag, waitFor, waitForEvent, waitUntil } from "windlass";
import { z } from "zod";

const text = task("text", ({ value }: { value: string }) => value);
const maybe = task("maybe", ({ value }: { value: string | null }) => value);
const choice = task("choice", ({ value }: { value: "ship" | "hold" }) => value);
const count = task("count", ({ value }: { value: number }) => value);
const nothing = task("nothing", ({ value }: { value: null }) => value);

const until = waitUntil("until", { timeout: "1d" });
const pause = waitFor("pause", "2h");
const order = waitForEvent("order", { schema: z.object({ id: z.string(), n: z.number() }), softFail: true });
const ask = approval("ask");
const ship = approval("ship", { options: ["ship", "hold"], rejects: ["hold"], default: "ship", timeout: "1h" });
const other = triggerDag("other", { dagId: "other", wait: true });
const done = externalTask("done", { dagId: "other", taskId: "load" });
const there = sensor("there", { every: "30s", backoff: true }, async ({ url }: { url: string }, { signal }) => {
  return (await fetch(url, { signal })).ok;
});
const rows = sensor("rows", ({ n }: { n: number }) => (n > 1 ? { done: true, value: { n } } : { done: false }));

export const accepted = dag("accepted", { params: z.object({ at: z.string() }) }, ({ params, run }) => {
  until({ until: params.at }).before(pause());
  text({ value: order().get("id") });
  text.as("asked")({ value: ask().get("option") });
  choice({ value: ship().get("option") });
  maybe({ value: ship.as("again")().get("user") });
  text.as("run")({ value: other({ conf: { day: params.at, list: [1] } }).get("dag_run_id") });
  done({ logical_date: run.logical_date });
  done.as("by_id")({ run_id: other.as("second")().get("dag_run_id") });
  nothing({ value: there({ url: params.at }) });
  count({ value: rows({ n: 1 }).get("n") });
});

export const refused = dag("refused", {}, ({ run }) => {
  // @ts-expect-error no instant
  until();
  // @ts-expect-error a number as an instant
  until({ until: 3 });
  // @ts-expect-error manual runs may have no logical date
  until({ until: run.logical_date });
  // @ts-expect-error a field that the event does not have
  order().get("name");
  // @ts-expect-error an option that nobody can choose
  choice({ value: ask().get("option") });
  // @ts-expect-error an input for a wait that takes none
  pause({ until: "x" });
  // @ts-expect-error a run by something else
  done({ id: "x" });
  // @ts-expect-error the value of a sensor that only says yes
  text({ value: there({ url: "x" }) });
  // @ts-expect-error a sensor's input of another type
  there({ url: 3 });
});

export const misspelt = () => {
  // @ts-expect-error a default that is no option
  approval("a", { options: ["x", "y"], default: "z" });
  // @ts-expect-error a rejection that is no option
  approval("b", { options: ["x", "y"], rejects: ["z"] });
  // @ts-expect-error no DAG
  triggerDag("c", {});
  // @ts-expect-error a duration without its unit
  waitFor("d", "2 hours");
  // @ts-expect-error a sensor that says something else
  sensor("e", () => "yes");
  // @ts-expect-error a pod for a task that has none
  waitFor("f", "2h", { pod: {} });
  // @ts-expect-error a schema that is none
  waitForEvent("g", { schema: { id: "string" } });
};
