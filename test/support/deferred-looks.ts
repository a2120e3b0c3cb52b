// The scheduler's looks at waiting tasks as plain calls, on the clock of a store bundle; sensors run in their real children.

import { randomUUID } from "node:crypto";
import { createLogger } from "../../src/lifecycle/log.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import type { SchedulerContext } from "../../src/scheduler/activity.ts";
import { createDeferredLooks } from "../../src/scheduler/resume-deferred.ts";
import type { DagDefinition } from "../../src/core/definition.ts";
import { saveDagFile } from "../../src/store/dag-files.ts";
import { createSealer } from "../../src/store/sealing.ts";
import type { StoreBundle } from "./store-bundle.ts";

/** What tests seal variables and connections with. */
export const SEALER = createSealer([Buffer.alloc(32, 1).toString("base64")]);

/** What activities of no executor need. */
export function contextOf(store: StoreBundle, holder = "looker"): SchedulerContext {
  const parts = {
    db: store.db,
    rules: store.rules,
    sealer: SEALER,
    clock: { ...systemClock, now: store.now },
    log: createLogger("silent"),
    holder,
    newId: randomUUID,
    checkParams: (_dag: unknown, conf: object) => ({ ...conf, checked: true }),
    issueLaunchToken: async () => "",
    issueResultToken: async () => "",
    limits: { parallelism: 1, launch: 1, overdue: { image: 1, configuration: 1, start: 1, heartbeat: 1 } },
  };
  // No look launches anything.
  return { ...parts, executor: undefined as unknown as SchedulerContext["executor"] };
}

/** Looks at everything that is due until nothing more is, moving runs on in between. */
export async function lookThrough(store: StoreBundle, context = contextOf(store)): Promise<number> {
  let total = 0;
  for (;;) {
    await store.settle();
    const looks = createDeferredLooks(context, () => {});
    const { counts } = await looks.runOnce();
    await looks.finish();
    if ((counts["claimed"] ?? 0) === 0) return total;
    total += counts["claimed"] ?? 0;
  }
}

/** Keeps the definition with a bundle whose functions are these expressions, by task id or callback key. */
export async function saveCode(
  store: StoreBundle,
  definition: DagDefinition,
  code: { functions?: Record<string, string>; callbacks?: Record<string, string> },
): Promise<void> {
  const table = (entries: Record<string, string> = {}) =>
    `{ ${Object.entries(entries)
      .map(([name, text]) => `${JSON.stringify(name)}: ${text}`)
      .join(", ")} }`;
  const text = `module.exports = { d: { [Symbol.for("windlass.dag")]: { definition: { dag_id: ${JSON.stringify(definition.dag_id)} }, functions: ${table(code.functions)}, callbacks: ${table(code.callbacks)} } } };`;
  const bundle = { hash: randomUUID(), code: text, sourceMap: `{"version":3,"sources":[],"names":[],"mappings":""}` };
  await saveDagFile(store.db, { filename: `${definition.dag_id}.ts`, bundle, definitions: [definition] }, store.now());
}
