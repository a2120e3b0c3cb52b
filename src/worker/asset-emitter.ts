// Collects the events that a task emits, until its success is reported with them. What could not be kept is an error at the
// line that emits it.

import { type EmittedEvent, MAX_EMITTED_BYTES, MAX_EMITTED_EVENTS } from "../core/asset-events.ts";
import { isStorable } from "../core/clean-text.ts";
import type { TaskDefinition } from "../core/definition.ts";
import type { JsonObject } from "../core/json.ts";
import type { TaskAssets } from "../sdk/asset-runtime.ts";
import { checkJson } from "./encode-result.ts";

export interface AssetEmitter {
  assets: TaskAssets<string>["assets"];
  emitted: readonly EmittedEvent[];
}

export function createAssetEmitter(task: Pick<TaskDefinition, "outlets"> | undefined): AssetEmitter {
  const outlets = (task?.outlets ?? []).map((outlet) => outlet.name);
  const emitted: EmittedEvent[] = [];
  let bytes = 0;
  const emit = ({ name }: { name: string }, extra: unknown = {}) => {
    if (!outlets.includes(name)) {
      const known = outlets.length === 0 ? "it has none" : `its outlets are ${outlets.join(", ")}`;
      throw refuse(
        `the task emits asset "${name}", which is not one of its outlets: ${known}; add it to the task's outlets`,
      );
    }
    if (typeof extra !== "object" || extra === null || Array.isArray(extra)) {
      throw refuse(`the data of an event of asset "${name}" is not an object; use one such as { rows: 3 }`);
    }
    checkJson(extra, "extra");
    // A copy, because the task may go on with its object.
    const event: EmittedEvent = { asset: name, extra: JSON.parse(JSON.stringify(extra)) as JsonObject };
    if (!isStorable(event.extra)) {
      throw refuse(
        `the data of an event of asset "${name}" holds a NUL character or half a surrogate pair; remove it from the text`,
      );
    }
    // The comma between events counts too.
    bytes += Buffer.byteLength(JSON.stringify(event)) + 1;
    if (emitted.length === MAX_EMITTED_EVENTS || bytes >= MAX_EMITTED_BYTES) {
      throw refuse(
        `the task emits more than ${MAX_EMITTED_EVENTS} events or ${MAX_EMITTED_BYTES} bytes; write large data with runtime.artifacts.write()`,
      );
    }
    emitted.push(event);
  };
  return { assets: { emit }, emitted };
}

function refuse(message: string): Error {
  return Object.assign(new TypeError(message), { name: "InvalidAssetEvent" });
}
