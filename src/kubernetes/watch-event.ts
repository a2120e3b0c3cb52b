// One line of a watch. Strict: a line that cannot be read ends the watch, because going on would step over a change.

import { isObject, objectAt, textAt } from "./read-json.ts";
import { type KubernetesError, kubernetesError } from "./kubernetes-error.ts";
import { type PodView, readPod } from "./pod-view.ts";
import { errorOfStatus } from "./status.ts";

export type PodEvent =
  | { type: "ADDED" | "MODIFIED" | "DELETED"; pod: PodView; resource_version: string }
  | { type: "BOOKMARK"; resource_version: string }
  | { type: "ERROR"; error: KubernetesError };

const ACTION = "watch pods";

export function readEvent(line: string): PodEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (error) {
    throw malformed("a line of the watch is not JSON", error);
  }
  const type = textAt(event, "type");
  const object = isObject(event) ? event["object"] : null;
  switch (type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED": {
      const pod = readPod(object, ACTION);
      return { type, pod, resource_version: pod.resource_version };
    }
    case "BOOKMARK": {
      const resourceVersion = textAt(objectAt(object, "metadata"), "resourceVersion");
      if (resourceVersion === null) throw malformed("a bookmark has no resourceVersion");
      return { type, resource_version: resourceVersion };
    }
    case "ERROR":
      return { type, error: errorOfStatus(object, ACTION) };
    default:
      throw malformed(`the watch sent an event of the unknown type ${JSON.stringify(type)}`);
  }
}

function malformed(message: string, cause?: unknown): KubernetesError {
  return kubernetesError({ code: 0, reason: "Malformed", message, action: ACTION, cause });
}
