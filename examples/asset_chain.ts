// Two DAGs that know nothing of each other but an asset: one writes orders every hour and says how many, the other runs whenever
// there are new ones.

import { asset, dag, task } from "windlass";

const orders = asset("example://orders", { group: "sales" });

export const write = task("write", { outlets: [orders] }, (_: {}, { assets, logical_date }) => {
  const rows = new Date(logical_date ?? 0).getUTCHours() + 1;
  assets.emit(orders, { rows });
  console.log(`${rows} orders`);
});

export const count = task("count", (_: {}, { asset_events }) => {
  const rows = asset_events.map(({ extra }) => Number(extra["rows"] ?? 0));
  return { events: rows.length, rows: rows.reduce((sum, each) => sum + each, 0) };
});

export const producer = dag("asset_producer", { description: "Writes orders", tags: ["example"] }, () => void write());
export const consumer = dag(
  "asset_consumer",
  { description: "Counts orders when there are new ones", tags: ["example"], schedule: orders },
  () => void count(),
);
