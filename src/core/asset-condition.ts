// Conditions over assets: whether one holds, which assets it names, and what is still missing, in words.

import type { AssetCondition, AssetDefinition, DagDefinition } from "./definition.ts";

/** @param seen names of the assets that have had an event */
export function holds(condition: AssetCondition, seen: ReadonlySet<string>): boolean {
  switch (condition.kind) {
    case "asset":
      return seen.has(condition.asset.name);
    case "any":
      return condition.of.some((part) => holds(part, seen));
    case "all":
      return condition.of.every((part) => holds(part, seen));
  }
}

/** The assets that it names, each once. */
export function listAssets(condition: AssetCondition): AssetDefinition[] {
  return [...new Map(walk(condition).map((asset) => [asset.name, asset])).values()];
}

/** All that a DAG says of assets, with repeats. */
export function listAssetsOfDag(definition: Pick<DagDefinition, "assets" | "tasks">): AssetDefinition[] {
  const waited = definition.assets ? walk(definition.assets) : [];
  return [...waited, ...definition.tasks.flatMap((task) => task.outlets ?? [])];
}

function walk(condition: AssetCondition): AssetDefinition[] {
  return condition.kind === "asset" ? [condition.asset] : condition.of.flatMap(walk);
}

/** What is left of it once these assets have had an event; null: it holds. */
export function findMissing(condition: AssetCondition, seen: ReadonlySet<string>): AssetCondition | null {
  if (holds(condition, seen)) return null;
  switch (condition.kind) {
    case "asset":
      return condition;
    case "any":
    case "all": {
      const left = condition.of.flatMap((part) => findMissing(part, seen) ?? []);
      const [only] = left;
      return only && left.length === 1 ? only : { kind: condition.kind, of: left };
    }
  }
}

/** `"a" and ("b" or "c")` */
export function describeCondition(condition: AssetCondition): string {
  switch (condition.kind) {
    case "asset":
      return JSON.stringify(condition.asset.name);
    case "any":
    case "all": {
      const parts = condition.of.map((part) => {
        const text = describeCondition(part);
        return part.kind === "asset" || part.of.length < 2 || condition.of.length < 2 ? text : `(${text})`;
      });
      return parts.join(condition.kind === "any" ? " or " : " and ");
    }
  }
}

/** What a DAG waits for, as a sentence's end. */
export function describeWaiting(condition: AssetCondition, seen: readonly string[]): string {
  const missing = findMissing(condition, new Set(seen));
  if (missing === null) return "its assets have had their events: the next pass of the scheduler creates a run";
  const had = seen.length === 0 ? "" : `; events of ${seen.map((name) => JSON.stringify(name)).join(", ")} wait for it`;
  return `a run waits for an event of ${describeCondition(missing)}${had}`;
}
