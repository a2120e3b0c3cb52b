// Assets: a task emits what it declares and nothing else; schedules are made of assets, not of their names.

import { allOf, anyOf, asset, dag, empty, kubernetesPod, task } from "windlass";

const orders = asset("s3://bucket/orders");
const rates = asset("rates", { uri: "https://rates", group: "finance", extra: { owner: "x" } });
const build = () => {};

export const accepted = [
  task("one", { outlets: [orders] }, (_, { assets }) => assets.emit(orders, { rows: 3 })),
  task("two", { outlets: [orders, rates] }, (_, { assets }) => {
    assets.emit(orders);
    assets.emit(rates, { day: null, nested: [{ a: 1 }] });
  }),
  task("with_inputs", { outlets: [orders], variables: ["a"] }, ({ day }: { day: string }, { assets, variables }) => {
    assets.emit(orders, { day, a: variables.a });
    return day;
  }),
  task("consumer", (_, { asset_events }) => asset_events.map(({ asset: name, extra }) => [name, extra])),
  kubernetesPod("pod", { image: "alpine:3", outlets: [orders] }),
  dag("alone", { schedule: orders }, build),
  dag("several", { schedule: anyOf(orders, allOf(rates, orders)) }, build),
  dag("with_time", { schedule: { cron: "0 6 * * *", assets: orders }, timezone: "Europe/Paris" }, build),
  dag("with_interval", { schedule: { cron: { every: "1h" }, assets: allOf(orders, rates) } }, build),
];

export const refused = [
  // @ts-expect-error -- no outlet of the task
  task("foreign", { outlets: [orders] }, (_, { assets }) => assets.emit(rates)),
  // @ts-expect-error -- it has no outlets
  task("none", (_, { assets }) => assets.emit(orders)),
  // @ts-expect-error -- data is an object
  task("list", { outlets: [orders] }, (_, { assets }) => assets.emit(orders, [1])),
  // @ts-expect-error -- JSON has no dates
  task("date", { outlets: [orders] }, (_, { assets }) => assets.emit(orders, { at: new Date() })),
  // @ts-expect-error -- an asset, not its name
  task("name", { outlets: ["orders"] }, () => 1),
  // @ts-expect-error -- a condition is no outlet
  task("condition", { outlets: [anyOf(orders)] }, () => 1),
  // @ts-expect-error -- it has no end to emit at
  empty("empty", { outlets: [orders] }),
  // @ts-expect-error -- a name is no schedule
  dag("by_name", { schedule: "orders" }, build),
  // @ts-expect-error -- no asset
  dag("nothing", { schedule: anyOf() }, build),
  // @ts-expect-error -- a name is no asset
  dag("names", { schedule: allOf(orders, "rates") }, build),
  // @ts-expect-error -- without assets it is a plain cron expression
  dag("half", { schedule: { cron: "0 6 * * *" } }, build),
  // @ts-expect-error -- too few fields
  dag("bad_cron", { schedule: { cron: "0 6 *", assets: orders } }, build),
];
