// Function tasks whose pods differ: one as the installation has it, one in an image of its own, one that needs a program which
// only its image has, and one with limits and with words on where it may run. docs/authoring.md shows how such images are made.

import { execFileSync } from "node:child_process";
import { dag, task } from "windlass";

const startTask = task("start_task", () => console.log("in the installation's own image"));

const oneTask = task("one_task", { pod: { image: "registry.example.com/windlass:0.1.0" } }, () => {
  console.log("in an image of its own");
});

const twoTask = task("two_task", { pod: { image: "registry.example.com/windlass-zip:1" } }, () => {
  // Throws, and so fails the task, when there is no zip or when it ends with another code than 0.
  const version = execFileSync("zip", ["-v"], { encoding: "utf8" }).split("\n")[1] ?? "";
  console.log(version);
  return version;
});

const threeTask = task(
  "three_task",
  {
    pod: {
      resources: { requests: { memory: "64Mi" }, limits: { memory: "128Mi" } },
      spec: {
        tolerations: [{ key: "dedicated", operator: "Equal", value: "airflow" }],
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              {
                topologyKey: "kubernetes.io/hostname",
                labelSelector: { matchExpressions: [{ key: "app", operator: "In", values: ["airflow"] }] },
              },
            ],
          },
        },
      },
    },
  },
  () => console.log("with limits, on a node without pods of app airflow"),
);

export default dag("kubernetes_executor", { description: "Tasks whose pods differ" }, () => {
  startTask().before(oneTask(), twoTask(), threeTask());
});
