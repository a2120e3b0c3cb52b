// The administrator's last word on every pod: a function that may check it and change it. It is trusted code and runs in the
// scheduler; what the installation finds and fences its pods by is checked again after it.

import { failure, isFailure, messageOf } from "../core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { checkBuiltPod, type PodManifestInput } from "./pod-manifest.ts";

/** What a policy may know of the task that the pod is for. */
export interface PolicyTask {
  dag_id: string;
  run_id: string;
  task_id: string;
  map_index: number;
  try_number: number;
  namespace: string;
  /** As its task names it; null: the installation's own. */
  cluster: string | null;
  /** worker: runs a task of this installation; image: one of the author's own. */
  kind: "worker" | "image";
}

/** Returns the pod, changed or not, or nothing when it has changed what it was given; throws to refuse it. */
export type PodPolicy = (pod: JsonObject, task: PolicyTask) => unknown;

// A launch has a minute; a policy that asks somewhere must not use it up.
const LONGEST_MS = 10_000;

/** Throws `invalid_configuration` with the policy's own words. */
export async function applyPolicy(policy: PodPolicy, pod: JsonObject, input: PodManifestInput): Promise<JsonObject> {
  const given = structuredClone(pod);
  const { dag_id, run_id, task_id, map_index, try_number, namespace, cluster } = input;
  const kind = input.container === null ? "worker" : "image";
  const changed = toJson(
    await runPolicy(policy, given, { dag_id, run_id, task_id, map_index, try_number, namespace, cluster, kind }),
    given,
  );
  try {
    checkBuiltPod(changed, input);
  } catch (error) {
    if (!isFailure(error, "invalid_configuration")) throw error;
    throw failure("invalid_configuration", `The pod policy made a pod that cannot be launched: ${error.message}`, {
      cause: error,
    });
  }
  return changed;
}

async function runPolicy(policy: PodPolicy, pod: JsonObject, task: PolicyTask): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it gave no answer within ${LONGEST_MS / 1000} s`)), LONGEST_MS);
  });
  try {
    return await Promise.race([Promise.resolve(policy(pod, task)), late]);
  } catch (error) {
    throw failure("invalid_configuration", `The pod policy refuses the pod: ${messageOf(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** As it would be sent, so that what is checked is what is sent. */
function toJson(returned: unknown, given: JsonObject): JsonObject {
  let pod: Json;
  try {
    pod = JSON.parse(JSON.stringify(returned ?? given) ?? "null") as Json;
  } catch (error) {
    const message = `The pod policy returned what is no JSON: ${messageOf(error)}`;
    throw failure("invalid_configuration", message, { cause: error });
  }
  if (isJsonObject(pod)) return pod;
  throw failure("invalid_configuration", "The pod policy must return the pod, or nothing");
}
