// What no layer of an attempt's pod may change, checked by name: each layer before the merge, the pod after it.

import { failure, type FieldError } from "../core/errors.ts";
import { RESULT_CONTAINER } from "../core/container-result.ts";
import { asObject, type JsonObject } from "../core/json.ts";
import { MAIN_CONTAINER } from "../core/pod-snapshot.ts";
import { ANNOTATIONS } from "./pod-labels.ts";

export interface ExpectedPod {
  /** For messages. */
  whose: string;
  /** The worker's environment; no layer may set these names. */
  reserved: Readonly<Record<string, string>>;
  /** Whether the main container is our worker. */
  hasWorker: boolean;
  /** Whether a helper delivers the result. */
  hasHelper: boolean;
}

/** A layer that sets one of the worker's variables is refused by name, before the merge hides who did it. */
export function checkLayer(layer: JsonObject, whose: string, reserved: ExpectedPod["reserved"]): void {
  const errors: FieldError[] = [];
  for (const list of ["containers", "initContainers"] as const) {
    const containers = asObject(layer["spec"])[list];
    if (containers === undefined || containers === null) continue;
    if (!Array.isArray(containers)) {
      errors.push({ path: `spec.${list}`, message: "must be a list" });
      continue;
    }
    for (const [index, container] of containers.entries()) {
      const env = asObject(container)["env"];
      if (!Array.isArray(env)) continue;
      for (const [at, variable] of env.entries()) {
        const name = asObject(variable)["name"];
        if (typeof name === "string" && name in reserved) {
          errors.push({ path: `spec.${list}[${index}].env[${at}]`, message: `${name} is set by Windlass only` });
        }
      }
    }
  }
  refuse(errors, whose);
}

/** What the installation finds and fences its pods by must have survived every layer. */
export function checkMerged(pod: JsonObject, identity: JsonObject, expected: ExpectedPod): void {
  const errors: FieldError[] = [];
  const metadata = asObject(pod["metadata"]);
  const own = asObject(identity["metadata"]);
  for (const field of ["name", "namespace"]) {
    if (metadata[field] !== own[field]) errors.push({ path: `metadata.${field}`, message: "is chosen by Windlass" });
  }
  for (const map of ["labels", "annotations"]) {
    for (const [key, value] of Object.entries(asObject(own[map]))) {
      if (asObject(metadata[map])[key] !== value) {
        errors.push({ path: `metadata.${map}["${key}"]`, message: "identifies the pod and may not be changed" });
      }
    }
  }
  if (expected.hasWorker && ANNOTATIONS.skipOnExitCodes in asObject(metadata["annotations"])) {
    errors.push({
      path: `metadata.annotations["${ANNOTATIONS.skipOnExitCodes}"]`,
      message: "is only for tasks without a worker",
    });
  }
  const spec = asObject(pod["spec"]);
  if (spec["restartPolicy"] !== "Never") {
    errors.push({ path: "spec.restartPolicy", message: 'must stay "Never": retries are Windlass\' own' });
  }
  const containers = Array.isArray(spec["containers"]) ? spec["containers"].map(asObject) : [];
  const main = containers.find((container) => container["name"] === MAIN_CONTAINER);
  if (main === undefined) {
    errors.push({
      path: "spec.containers",
      message: `the container "${MAIN_CONTAINER}" runs the task and may not be removed`,
    });
  } else {
    if ("restartPolicy" in main || "restartPolicyRules" in main) {
      errors.push({ path: `spec.containers["${MAIN_CONTAINER}"].restartPolicy`, message: "may not be set" });
    }
    const env = Array.isArray(main["env"]) ? main["env"].map(asObject) : [];
    for (const [name, value] of Object.entries(expected.reserved)) {
      if (!env.some((variable) => variable["name"] === name && variable["value"] === value)) {
        errors.push({ path: `spec.containers["${MAIN_CONTAINER}"].env`, message: `${name} may not be removed` });
      }
    }
  }
  if (expected.hasHelper) {
    const helpers = Array.isArray(spec["initContainers"]) ? spec["initContainers"].map(asObject) : [];
    if (!helpers.some((each) => each["name"] === RESULT_CONTAINER && each["restartPolicy"] === "Always")) {
      errors.push({ path: "spec.initContainers", message: `"${RESULT_CONTAINER}" delivers the result` });
    }
  }
  refuse(errors, expected.whose);
}

function refuse(errors: FieldError[], whose: string): void {
  if (errors.length === 0) return;
  const faults = errors.map((error) => `${error.path} ${error.message}`).join("; ");
  throw failure("invalid_configuration", `${whose} is not valid: ${faults}`, { errors });
}
