import { expect, test } from "vitest";
import { readPod } from "./pod-view.ts";

const podOf = (spec: object, status: object) => ({
  metadata: { namespace: "etl", name: "load-1", uid: "u", resourceVersion: "7" },
  spec,
  status,
});
const read = (spec: object, status: object) => readPod(podOf(spec, status), "get pods").snapshot;

test("a sidecar is told from an init container that ends, and how it ended last is kept", () => {
  const { containers } = read(
    {
      initContainers: [
        { name: "fetch", image: "f" },
        { name: "proxy", image: "p", restartPolicy: "Always" },
      ],
      containers: [{ name: "base", image: "b" }],
    },
    {
      initContainerStatuses: [
        { name: "fetch", state: { terminated: { exitCode: 0 } } },
        {
          name: "proxy",
          started: false,
          state: { waiting: { reason: "CrashLoopBackOff" } },
          lastState: { terminated: { exitCode: 3, reason: "Error", message: "no certificate" } },
        },
      ],
      containerStatuses: [{ name: "base", state: { waiting: { reason: "PodInitializing" } }, lastState: {} }],
    },
  );
  expect(containers.map(({ name, sidecar, started }) => [name, sidecar, started])).toEqual([
    ["fetch", false, null],
    ["proxy", true, false],
    ["base", false, null],
  ]);
  expect(containers.map(({ last_end }) => last_end?.exit_code ?? null)).toEqual([null, 3, null]);
});

test("the memory limit is the one that the node applies, once it says so", () => {
  const spec = { containers: [{ name: "base", resources: { limits: { memory: "2Gi" } } }] };
  const limit = (status: object) => read(spec, { containerStatuses: [{ name: "base", ...status }] }).containers[0];
  expect(limit({})?.memory_limit).toBe("2Gi");
  expect(limit({ resources: { limits: { cpu: "1" } } })?.memory_limit).toBe("2Gi");
  expect(limit({ resources: { limits: { memory: "1Gi" } } })?.memory_limit).toBe("1Gi");
});

test("scheduling gates are named", () => {
  expect(read({ schedulingGates: [{ name: "kueue.x-k8s.io/admission" }] }, {}).scheduling_gates).toEqual([
    "kueue.x-k8s.io/admission",
  ]);
});
