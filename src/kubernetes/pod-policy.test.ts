import { expect, test } from "vitest";
import type { JsonObject } from "../core/json.ts";
import { buildPod, type PodManifestInput } from "./pod-manifest.ts";
import { applyPolicy, type PodPolicy } from "./pod-policy.ts";

const input: PodManifestInput = {
  attempt_id: "0199c0de-1234-7abc-8def-0123456789ab",
  epoch: 1,
  dag_id: "sum",
  run_id: "r",
  task_id: "extract",
  map_index: -1,
  try_number: 2,
  cluster: null,
  namespace: "etl",
  pod_name: "sum-extract-1",
  installationId: "prod",
  image: "windlass:1",
  command: ["worker"],
  environment: { WINDLASS_LAUNCH_TOKEN: "secret" },
  container: null,
  helper: null,
  template: null,
  pod: null,
  memory_floor: null,
};
const apply = (policy: PodPolicy) => applyPolicy(policy, buildPod(input), input);
interface PodView {
  metadata: { namespace: string; labels: Record<string, string>; annotations: Record<string, string> };
  spec: { restartPolicy?: string; nodeSelector?: JsonObject; containers?: { env: JsonObject[] }[] };
}
// What buildPod makes of the input above; to the policy's type it is plain JSON.
const at = (pod: JsonObject) => pod as unknown as PodView;

test("a policy changes the pod in place, returns another, or does it in its own time", async () => {
  const inPlace = await apply((pod) => {
    at(pod).metadata.labels.team = "data";
  });
  expect(at(inPlace).metadata.labels.team).toBe("data");
  const other = await apply(async (pod, task) => ({
    ...pod,
    spec: { ...at(pod).spec, nodeSelector: { kind: `${task.kind}-${task.task_id}-${task.try_number}` } },
  }));
  expect(at(other).spec.nodeSelector).toEqual({ kind: "worker-extract-2" });
});

test("what it is given is a copy: a refusal leaves nothing behind", async () => {
  const built = buildPod(input);
  const before = structuredClone(built);
  const policy: PodPolicy = (pod) => {
    at(pod).spec = {};
    throw new Error("no");
  };
  await expect(applyPolicy(policy, built, input)).rejects.toThrow("no");
  expect(built).toEqual(before);
});

test.each<[string, PodPolicy, RegExp]>([
  [
    "a refusal, in its own words",
    () => {
      throw new Error("images must come from registry.example");
    },
    /policy refuses the pod: images must come from registry\.example/,
  ],
  ["a rejected promise", () => Promise.reject(new Error("not today")), /not today/],
  ["something else than a pod", () => 5, /must return the pod/],
  [
    "a pod that refers to itself",
    (pod) => {
      at(pod).spec.nodeSelector = at(pod).spec;
    },
    /policy returned what is no JSON: .*circular/,
  ],
  ["a number that JSON does not have", (pod) => ({ ...pod, spec: 5n }), /policy returned what is no JSON: .*BigInt/],
  ["another name", (pod) => ({ ...pod, metadata: { ...at(pod).metadata, name: "x" } }), /metadata\.name/],
  ["another namespace", (pod) => void (at(pod).metadata.namespace = "kube-system"), /metadata\.namespace/],
  ["a label less", (pod) => void delete at(pod).metadata.labels["windlass.dev/installation"], /identifies the pod/],
  ["another mark", (pod) => void (at(pod).metadata.annotations["windlass.dev/epoch"] = "9"), /identifies the pod/],
  ["a restart policy", (pod) => void (at(pod).spec.restartPolicy = "Always"), /restartPolicy/],
  ["no main container", (pod) => void (at(pod).spec.containers = []), /may not be removed/],
  [
    "no token",
    (pod) => at(pod).spec.containers?.forEach((container) => (container.env = [])),
    /WINDLASS_LAUNCH_TOKEN may not be removed/,
  ],
])("refused: %s", async (_, policy, message) => {
  await expect(apply(policy)).rejects.toMatchObject({
    code: "invalid_configuration",
    message: expect.stringMatching(message) as string,
  });
});
