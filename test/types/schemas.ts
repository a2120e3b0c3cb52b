// Schemas of inputs and results give the types.

import { dag, task } from "windlass";
import { z } from "zod";

const load = task("load", { input: z.object({ day: z.string() }) }, ({ day }) => day.length);
const count = task("count", { output: z.object({ rows: z.number() }) }, () => ({ rows: 1 }));
const takesNumber = task("takes_number", ({ n }: { n: number }) => n);

export const accepted = dag("accepted", {}, () => {
  takesNumber({ n: load({ day: "2026-01-31" }) });
  takesNumber.as("again")({ n: count().get("rows") });
});

export const refused = dag("refused", {}, () => {
  // @ts-expect-error -- the schema wants text
  load({ day: 1 });
  // @ts-expect-error -- it has another name
  load({ date: "2026-01-31" });
  // @ts-expect-error -- not what the schema says
  task("wrong_result", { output: z.object({ rows: z.number() }) }, () => ({ rows: "1" }));
  // @ts-expect-error -- the function takes another type than the schema gives
  task("wrong_input", { input: z.object({ day: z.string() }) }, ({ day }: { day: number }) => day);
});
