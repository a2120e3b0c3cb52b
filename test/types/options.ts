// The options of DAGs and tasks, and pods with Kubernetes' own fields.

import { dag, empty, type PodOverride, task } from "windlass";
import { z } from "zod";

const run = () => 1;
const build = () => {};

export const accepted = [
  task("durations", { retries: 3, retryDelay: "30s", executionTimeout: 90 }, run),
  task("more_durations", { retryDelay: "250ms", executionTimeout: null, triggerRule: "all_done" }, run),
  task(
    "pod",
    {
      pod: { image: "alpine:3", env: { A: "1" }, resources: { limits: { memory: "1Gi" }, requests: { cpu: "100m" } } },
    },
    run,
  ),
  task(
    "full_pod",
    {
      pod: {
        metadata: { labels: { team: "data" }, annotations: { a: "b" }, namespace: "jobs" },
        spec: {
          serviceAccountName: "loader",
          tolerations: [{ key: "gpu", operator: "Exists", effect: "NoSchedule" }],
          affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{}] } } },
          volumes: [{ name: "cache", emptyDir: {} }],
          containers: [{ name: "base", volumeMounts: [{ name: "cache", mountPath: "/cache" }] }],
        },
      },
    },
    run,
  ),
];

export const dags = [
  dag("preset", { schedule: "@daily", timezone: "Europe/Paris", start: "2026-01-01", catchup: true }, build),
  dag("dates", { schedule: "0 6 * * *", start: Temporal.Now.instant(), end: new Date() }, build),
  dag("once", { schedule: "@once", start: "2026-01-01", runTimeout: "2h", maxConsecutiveFailedRuns: 3 }, build),
  dag("several", { schedule: ["0 6 * * *", "@weekly"], intervals: "previous", jitter: "5m" }, build),
  dag("interval", { schedule: { every: "90m" } }, build),
  dag("times", { schedule: { times: ["2026-01-01", new Date(), Temporal.Now.instant()] } }, build),
  dag("timetable", { schedule: { timetable: (after) => after.add({ hours: 36 }) } }, build),
  dag("manual", { schedule: null, tags: ["a"], paused: true, defaults: { retries: 1, pod: { image: "x" } } }, build),
];

export const limited = [
  task(
    "policy",
    { pool: "db", poolSlots: 2, weightRule: "absolute", retryBackoff: { max: "1h" }, retryOn: ["E"] },
    run,
  ),
  dag(
    "one_run_per_customer",
    {
      params: z.object({ customer: z.string() }),
      concurrency: { key: ({ params }) => params.customer, limit: 1 },
    },
    build,
  ),
];

export const refused = () => {
  // @ts-expect-error a weight rule that does not exist
  task("weight_rule", { weightRule: "sideways" }, run);
  // @ts-expect-error a concurrency without its limit
  task("no_limit", { concurrency: { key: "who" } }, run);
  // @ts-expect-error a class in place of an error's name
  task("error_class", { retryOn: [TypeError] }, run);
  // @ts-expect-error a param that the DAG does not have
  dag("key", { params: z.object({ a: z.string() }), concurrency: { key: ({ params }) => params.b, limit: 1 } }, build);
  // @ts-expect-error a key that is no reference
  dag("plain_key", { concurrency: { key: () => 1, limit: 1 } }, build);
  // @ts-expect-error a nested object in env
  task("env_object", { pod: { env: { A: { value: "1" } } } }, run);
  // @ts-expect-error a number in env
  task("env_number", { pod: { env: { A: 1 } } }, run);
  // @ts-expect-error a misspelt shorthand
  task("shorthand", { pod: { imagee: "alpine" } }, run);
  // @ts-expect-error a misspelt field of a pod
  task("pod_field", { pod: { spec: { serviceAcountName: "x" } } }, run);
  // @ts-expect-error a container without a name
  task("container", { pod: { spec: { containers: [{ image: "alpine" }] } } }, run);
  // @ts-expect-error memory as a number
  task("memory", { pod: { resources: { limits: { memory: 256 } } } }, run);
  // @ts-expect-error a toleration that is not an array
  task("toleration", { pod: { spec: { tolerations: { key: "gpu" } } } }, run);
  // @ts-expect-error a duration with an unknown unit
  task("unit", { retryDelay: "5 minutes" }, run);
  // @ts-expect-error retries as text
  task("retries", { retries: "3" }, run);
  // @ts-expect-error an unknown trigger rule
  task("rule", { triggerRule: "all_sucess" }, run);
  // @ts-expect-error a misspelt option
  task("option", { retry: 3 }, run);
  // @ts-expect-error no function
  task("no_function", { retries: 3 });
  // @ts-expect-error two inputs in place of one object
  task("two", (a: { n: number }, b: { m: number }) => a.n + b.m);
  // @ts-expect-error an empty task has no retries
  empty("empty", { retries: 3 });
  // @ts-expect-error a misspelt option of a DAG
  dag("option", { scheduel: "@daily" }, build);
  // @ts-expect-error a field too few
  dag("cron", { schedule: "0 6 * *" }, build);
  // @ts-expect-error a misspelt preset
  dag("preset", { schedule: "@dayly" }, build);
  // @ts-expect-error a cron expression without fields among several
  dag("crons", { schedule: ["0 6 * * *", "daily"] }, build);
  // @ts-expect-error an interval with an unknown unit
  dag("every", { schedule: { every: "2 hours" } }, build);
  // @ts-expect-error two schedules in one
  dag("two", { schedule: { every: "2h", times: [] } }, build);
  // @ts-expect-error a timetable that answers with a number
  dag("timetable", { schedule: { timetable: () => 5 } }, build);
  // @ts-expect-error unknown intervals
  dag("intervals", { schedule: "@daily", intervals: "next" }, build);
  // @ts-expect-error params that are no object
  dag("params", { params: z.string() }, build);
  // @ts-expect-error a start that is no moment
  dag("start", { start: 2026 }, build);
  // @ts-expect-error no function
  dag("no_function", { schedule: "@daily" });
  const pod: PodOverride = { image: "alpine" };
  // @ts-expect-error a plain object is not enough where a pod is wanted
  pod.spec = { volumes: ["cache"] };
};
