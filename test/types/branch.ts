// Branches: the names that their functions return are those that .to() must know.

import { branch, dag, empty, shortCircuit, task } from "windlass";
import { z } from "zod";

const size = branch("size", ({ n }: { n: number }) => (n > 3 ? "big" : "small"));
const later = branch("later", { retries: 1 }, async ({ n }: { n: number }) => (n > 3 ? "big" : null));
const several = branch("several", () => ["mail", "page"]);
const quiet = branch("quiet", ({ on }: { on: boolean }) => (on ? (["mail"] as const) : "none"));
const any = branch("any", ({ name }: { name: string }): string => name);
const gate = shortCircuit("gate", { skips: "direct" }, ({ n }: { n: number }) => n > 0);
const one = task("one", ({ n }: { n: number }) => n);
const text = task("text", ({ value }: { value: "big" | "small" }) => value);
const flag = task("flag", ({ value }: { value: boolean }) => value);

export const accepted = dag("accepted", { params: z.object({ n: z.number() }) }, ({ params }) => {
  const [a, b, c] = [empty("a")(), empty("b")(), empty("c")()];
  const chosen = size({ n: params.n });
  chosen.to({ big: a, small: [b, c] });
  text({ value: chosen }).after(a);
  later({ n: one({ n: 1 }) }).to({ big: b });
  several().to({ mail: a, page: b });
  quiet({ on: true }).to({ mail: a, none: [] });
  any({ name: "x" }).to({ whatever: a });
  size.as("size_2")({ n: 1 }).to({ big: a, small: b });
  const open = gate({ n: 1 });
  flag({ value: open });
  open.before(a);
});

export const refused = dag("refused", {}, () => {
  const [a, b] = [empty("a")(), empty("b")()];
  // @ts-expect-error a name that the function never returns
  size({ n: 1 }).to({ big: a, smal: b });
  // @ts-expect-error a choice that leads nowhere
  size({ n: 1 }).to({ big: a });
  // @ts-expect-error one name too many
  size({ n: 1 }).to({ big: a, small: b, huge: b });
  // @ts-expect-error a name in the place of a task
  size({ n: 1 }).to({ big: "a", small: b });
  // @ts-expect-error a field of a result in the place of a task
  several().to({ mail: a, page: task("o", () => ({ x: 1 }))().get("x") });
  // @ts-expect-error a name of another branch
  later({ n: 1 }).to({ big: a, small: b });
  // @ts-expect-error an input of the wrong type
  size({ n: "1" });
  // @ts-expect-error the decision where text of another kind is wanted
  flag({ value: size({ n: 1 }) });
  // @ts-expect-error a short circuit has no choices
  gate({ n: 1 }).to({ yes: a });
  // @ts-expect-error another way of skipping
  shortCircuit("other", { skips: "some" }, () => true);
  // @ts-expect-error a branch must return names
  branch("number", () => 3);
});
