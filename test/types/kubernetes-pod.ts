// Tasks that run an image: what goes into them and what comes out.

import { dag, kubernetesPod, task } from "windlass";
import { z } from "zod";

const rows = task("rows", () => ({ count: 3, files: ["a"], nested: { day: "x" } }));
const plain = kubernetesPod("plain", { image: "alpine:3" });
const typed = kubernetesPod<{ total: number }>("typed", {
  image: "python:3.12-slim",
  cmds: ["python", "-c", "print('hello world')"],
  arguments: ["-v"],
  env: { STAGE: "test" },
  skipOnExitCodes: [99],
  getLogs: true,
  cluster: "gpu",
  retries: 1,
  retryDelay: "5m",
  triggerRule: "all_done",
  pod: { spec: { containers: [{ name: "base", envFrom: [{ secretRef: { name: "keys" } }] }] } },
});
const sum = task("sum", ({ total }: { total: number }) => total);
const text = task("text", ({ value }: { value: string }) => value);

export const accepted = dag("accepted", { params: z.object({ day: z.string(), n: z.number() }) }, ({ params, run }) => {
  const { count, files } = { count: rows().get("count"), files: rows.as("again")().get("files") };
  const first = plain();
  plain.as("b")({ env: { DAY: params.day, N: params.n, COUNT: count, DATE: run.logical_date, ON: true } });
  plain
    .as("c")({ arguments: ["--day", params.day, 3, count] })
    .after(first);
  plain.as("d")({ arguments: files });
  sum({ total: typed().get("total") });
});

export const refused = dag("refused", {}, ({ run }) => {
  const made = rows();
  // @ts-expect-error an object as a variable
  plain({ env: { A: { value: "1" } } });
  // @ts-expect-error a reference to an object as a variable
  plain({ env: { A: made.get("nested") } });
  // @ts-expect-error a reference to a list as a variable
  plain({ env: { A: made.get("files") } });
  // @ts-expect-error an argument that may be null
  plain({ arguments: [run.logical_date] });
  // @ts-expect-error an object as an argument
  plain({ arguments: [made] });
  // @ts-expect-error a misspelt input
  plain({ enviroment: {} });
  // @ts-expect-error a result of another type
  text({ value: typed().get("total") });
  // @ts-expect-error a result that nobody has named
  text({ value: plain() });
});

export const misspelt = () => {
  // @ts-expect-error no image
  kubernetesPod("no_image", {});
  // @ts-expect-error an object as a variable
  kubernetesPod("env", { image: "x", env: { A: { b: "1" } } });
  // @ts-expect-error a number as a variable
  kubernetesPod("number", { image: "x", env: { A: 1 } });
  // @ts-expect-error a command that is no list
  kubernetesPod("cmds", { image: "x", cmds: "python" });
  // @ts-expect-error a misspelt option
  kubernetesPod("option", { image: "x", skipOnExitCode: [1] });
  // @ts-expect-error a list of clusters
  kubernetesPod("clusters", { image: "x", cluster: ["gpu"] });
  // @ts-expect-error a cluster for a worker's task
  task("worker", { cluster: "gpu" }, () => 1);
};
