// Assets: what tasks produce and DAGs wait for. A value names one; conditions put several together.

import type { AssetCondition, AssetDefinition } from "../core/definition.ts";
import type { JsonObject } from "../core/json.ts";
import { authorError, atAuthorsLine, describeValue } from "./author-error.ts";

const CONDITION = Symbol.for("windlass.asset");

/** What a DAG can wait for: an asset, or several put together by anyOf() and allOf(). */
export interface AssetExpression {
  readonly [CONDITION]: AssetCondition;
}

export interface Asset<out Name extends string = string> extends AssetExpression {
  readonly name: Name;
  readonly uri: string;
}

export interface AssetOptions {
  /** Where it is; its name unless given. */
  uri?: string;
  /** For people, to find it by. */
  group?: string;
  /** Facts about it, the same for every event. */
  extra?: JsonObject;
}

const LONGEST = 1_500;

/** An asset under the name that all DAGs know it by, such as its URI. */
export function asset<const Name extends string>(name: Name, options: AssetOptions = {}): Asset<Name> {
  return atAuthorsLine(asset, () => {
    checkText(name, "asset: the name");
    const where = `asset "${name}"`;
    const { uri = name, group, extra, ...others } = checkOptions(options, where);
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) {
      throw authorError(`${where}: the option ${unknown} is unknown. The options are uri, group, extra.`);
    }
    checkText(uri, `${where}: uri`);
    if (group !== undefined) checkText(group, `${where}: group`);
    if (extra !== undefined && (typeof extra !== "object" || extra === null || Array.isArray(extra))) {
      throw authorError(`${where}: extra is ${describeValue(extra)}. Use an object such as { owner: "sales" }.`);
    }
    const definition: AssetDefinition = { name, uri, ...(group !== undefined && { group }), ...(extra && { extra }) };
    return { name, uri, [CONDITION]: { kind: "asset", asset: definition } };
  });
}

/** Holds when one of them does. */
export function anyOf(...parts: readonly [AssetExpression, ...AssetExpression[]]): AssetExpression {
  return atAuthorsLine(anyOf, () => combine("any", parts));
}

/** Holds when all of them do. */
export function allOf(...parts: readonly [AssetExpression, ...AssetExpression[]]): AssetExpression {
  return atAuthorsLine(allOf, () => combine("all", parts));
}

function combine(kind: "any" | "all", parts: readonly unknown[]): AssetExpression {
  const call = `${kind}Of()`;
  if (parts.length === 0) throw authorError(`${call} was given no asset. Name at least one.`);
  const of = parts.map((part) => {
    const condition = readCondition(part);
    if (condition) return condition;
    throw authorError(`${call} was given ${describeValue(part)}. Give it what asset(), anyOf() or allOf() returned.`);
  });
  return { [CONDITION]: { kind, of } };
}

export function readCondition(value: unknown): AssetCondition | null {
  if (typeof value !== "object" || value === null || !(CONDITION in value)) return null;
  return (value as AssetExpression)[CONDITION];
}

/** The assets that a task produces. */
export function checkOutlets(outlets: unknown, where: string): AssetDefinition[] {
  if (outlets === undefined) return [];
  const path = `${where}: outlets`;
  if (!Array.isArray(outlets)) throw authorError(`${path} is ${describeValue(outlets)}. Use a list of assets.`);
  const names = new Set<string>();
  return outlets.map((outlet: unknown, index) => {
    const condition = readCondition(outlet);
    if (condition?.kind !== "asset") {
      throw authorError(`${path}[${index}] is ${describeValue(outlet)}. Use what asset() returned.`);
    }
    const { name } = condition.asset;
    if (names.has(name)) throw authorError(`${path} names asset "${name}" twice. Remove one.`);
    names.add(name);
    return condition.asset;
  });
}

function checkOptions(options: unknown, where: string): AssetOptions {
  if (typeof options === "object" && options !== null) return options;
  throw authorError(`${where}: the options are ${describeValue(options)}. Use an object such as { group: "sales" }.`);
}

function checkText(text: unknown, path: string): void {
  if (typeof text === "string" && text.length > 0 && text.length <= LONGEST) return;
  throw authorError(`${path} is ${describeValue(text)}. Use a string of 1 to ${LONGEST} characters.`);
}
