// Two containers side by side that know nothing of Windlass: one prints and succeeds, the other's image has no Python, so it
// fails, and its task says why. Needs a cluster: `windlass dags test` skips both.

import { dag, empty, kubernetesPod } from "windlass";

const runThisFirst = empty("run_this_first");

const passing = kubernetesPod("passing-task", {
  image: "python:3.12-slim",
  cmds: ["python", "-c", "print('hello world')"],
});

const failing = kubernetesPod("failing-task", {
  image: "ubuntu:24.04",
  cmds: ["python", "-c", "print('hello world')"],
});

export default dag(
  "kubernetes_sample",
  {
    schedule: "*/10 * * * *",
    description: "A container that passes beside one that fails",
    defaults: { retries: 1, retryDelay: "5m", pod: { metadata: { labels: { foo: "bar" } } } },
  },
  () => {
    runThisFirst().before(passing(), failing());
  },
);
