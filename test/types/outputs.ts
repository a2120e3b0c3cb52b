// Only what JSON carries may flow along an edge.

import { dag, task } from "windlass";

interface Tree {
  name: string;
  children: Tree[];
}
type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

class Money {
  readonly cents: number;
  constructor(cents: number) {
    this.cents = cents;
  }
  format() {
    return String(this.cents);
  }
}

const takesUnknown = task("takes_unknown", ({ value }: { value: unknown }) => String(value));
const takesText = task("takes_text", ({ value }: { value: string }) => value);
const takesNumber = task("takes_number", ({ value }: { value: number }) => value);
const takesTree = task("takes_tree", ({ tree }: { tree: Tree }) => tree.name);
const takesJson = task("takes_json", ({ value }: { value: Json }) => value);
const takesDate = task("takes_date", ({ when }: { when: Date }) => when.getTime());
const takesMoney = task("takes_money", ({ money }: { money: { cents: number } }) => money.cents);
const takesNull = task("takes_null", ({ value }: { value: null }) => value);
const takesNullable = task("takes_nullable", ({ value }: { value: string | null }) => value);
const takesList = task("takes_list", ({ value }: { value: (number | null)[] }) => value);

const returnsTree = task("returns_tree", (): Tree => ({ name: "root", children: [] }));
const returnsJson = task("returns_json", (): Json => ({ a: [1] }));
const returnsNothing = task("returns_nothing", async () => {});
const returnsOptional = task("returns_optional", (): { note?: string } => ({}));
const returnsHoles = task("returns_holes", (): (number | undefined)[] => [1, undefined]);
const returnsDate = task("returns_date", () => new Date(0));
const returnsNestedDate = task("returns_nested_date", () => ({ at: new Date(0), name: "x" }));
const returnsMap = task("returns_map", () => new Map([["a", 1]]));
const returnsSet = task("returns_set", () => new Set(["a"]));
const returnsFunction = task("returns_function", () => () => 1);
const returnsBigint = task("returns_bigint", () => 1n);
const returnsMoney = task("returns_money", () => new Money(1));
const returnsError = task("returns_error", () => new Error("x"));
const returnsBytes = task("returns_bytes", () => new Uint8Array(1));
const returnsAny = task("returns_any", () => JSON.parse("1"));
const returnsDeclared = task("returns_declared", (): number => JSON.parse("1"));

export const accepted = dag("accepted", {}, () => {
  const tree = returnsTree();
  takesTree({ tree });
  takesText({ value: tree.get("name") });
  takesTree.as("literal")({
    tree: { name: "x", children: [tree, { name: takesText.as("inner")({ value: "" }), children: [] }] },
  });
  takesUnknown({ value: tree });
  takesJson({ value: returnsJson() });
  takesJson.as("json_tree")({ value: tree });
  takesNull({ value: returnsNothing() });
  takesNullable({ value: returnsOptional().get("note") });
  takesList({ value: returnsHoles() });
  takesNumber({ value: returnsDeclared() });
  takesText.as("beside_date")({ value: returnsNestedDate().get("name") });
  // A result that no task takes may be anything.
  returnsMoney();
});

export const refused = dag("refused", {}, () => {
  // @ts-expect-error a Date becomes text on its way
  takesDate({ when: returnsDate() });
  // @ts-expect-error not even as a literal
  takesDate({ when: new Date() });
  // @ts-expect-error nor is it text by itself
  takesText({ value: returnsDate() });
  // @ts-expect-error a Date inside an object
  takesText({ value: returnsNestedDate().get("at") });
  // @ts-expect-error a Date where anything goes
  takesUnknown({ value: returnsDate() });
  // @ts-expect-error a Date inside an object where anything goes
  takesUnknown({ value: returnsNestedDate() });
  // @ts-expect-error a literal Date where anything goes
  takesUnknown({ value: new Date() });
  // @ts-expect-error a Map becomes {}
  takesUnknown({ value: returnsMap() });
  // @ts-expect-error a Set becomes {}
  takesUnknown({ value: returnsSet() });
  // @ts-expect-error a function disappears
  takesUnknown({ value: returnsFunction() });
  // @ts-expect-error a bigint cannot be written
  takesUnknown({ value: returnsBigint() });
  // @ts-expect-error an Error becomes {}
  takesUnknown({ value: returnsError() });
  // @ts-expect-error bytes become an object of numbers
  takesUnknown({ value: returnsBytes() });
  // @ts-expect-error an instance loses its methods
  takesMoney({ money: returnsMoney() });
  // @ts-expect-error fields of what cannot be passed
  returnsMoney().get("cents");
  // @ts-expect-error `any` hides what flows: declare the return type
  takesNumber({ value: returnsAny() });
  // @ts-expect-error an optional field may be absent
  takesText({ value: returnsOptional().get("note") });
  // @ts-expect-error a task without a result
  takesText({ value: returnsNothing() });
});
