import { expect, it } from "vitest";
import { type EmittedEvent, planAssetEvents } from "./asset-events.ts";

const outlets = [
  { name: "a", uri: "a" },
  { name: "b", uri: "b" },
];
const event = (asset: string, extra = {}): EmittedEvent => ({ asset, extra });

it.each<[string, EmittedEvent[], EmittedEvent[]]>([
  ["nothing emitted", [], [event("a"), event("b")]],
  ["data for one", [event("b", { rows: 1 })], [event("a"), event("b", { rows: 1 })]],
  [
    "several of one",
    [event("a", { n: 1 }), event("a", { n: 2 })],
    [event("a", { n: 1 }), event("a", { n: 2 }), event("b")],
  ],
  ["what is no outlet", [event("c")], [event("a"), event("b")]],
])("%s", (_name, emitted, expected) => {
  expect(planAssetEvents({ outlets }, emitted)).toEqual(expected);
});

it("is none without outlets, or when the version has no such task", () => {
  expect(planAssetEvents({}, [event("a")])).toEqual([]);
  expect(planAssetEvents(undefined, [event("a")])).toEqual([]);
});
