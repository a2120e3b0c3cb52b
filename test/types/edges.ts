// Programs that must compile and, under `@ts-expect-error`, programs that must not: an unused `@ts-expect-error` fails
// the type check just as an error elsewhere does.

import { dag, empty, task } from "windlass";
import { z } from "zod";

interface Sale {
  id: number;
  product: string;
  discount?: number;
}

const pickCurrency = (): "EUR" | "USD" => "EUR";
const extract = task("extract", async ({ day }: { day: string }) => ({
  day,
  sales: [{ id: 1, product: "tea" }] as Sale[],
  total: { amount: 12.5, currency: pickCurrency() },
  pair: ["a", 1] as [string, number],
  byProduct: { tea: 1 } as Record<string, number>,
}));
const square = task("square", ({ n }: { n: number }) => n * n);
const sum = task("sum", ({ parts }: { parts: readonly number[] }) => parts.length);
const store = task("store", async ({ sales, label }: { sales: Sale[]; label?: string }) => {
  await Promise.resolve([sales, label]);
});
const convert = task(
  "convert",
  ({ to, options }: { to: "EUR" | "USD" | "CHF"; options: { rate: number; note: string | null } }) => {
    return `${to}${options.rate}`;
  },
);
const greet = task("greet", () => "hello");
const greetLater = task("greet_later", (_, { signal, try_number }) => (signal.aborted ? null : try_number));
const optionalOnly = task("optional_only", ({ label = "" }: { label?: string }) => label);
const either = task("either", ({ value }: { value: string | number }) => value);
const nullable = task("nullable", ({ value }: { value: number | null }) => value);
const anything = task("anything", ({ value }: { value: unknown }) => typeof value);
const text = task("text", ({ value }: { value: string }) => value);

export const accepted = dag(
  "accepted",
  { params: z.object({ day: z.iso.date(), limit: z.number().optional() }) },
  ({ params, run }) => {
    const day = extract({ day: params.day });
    square({ n: 3 });
    square.as("square_pair")({ n: day.get("pair").get(1) });
    const amount = square.as("square_amount")({ n: day.get("total").get("amount") });
    sum({ parts: [1, amount, 3] });
    sum.as("sum_literal")({ parts: [1, 2] });
    store({ sales: day.get("sales") });
    store.as("store_label")({ sales: [{ id: amount, product: day.get("day") }], label: "x" });
    convert({ to: day.get("total").get("currency"), options: { rate: amount, note: null } });
    const hello = greet();
    either({ value: hello });
    either.as("either_number")({ value: amount });
    nullable({ value: params.limit });
    nullable.as("nullable_number")({ value: amount });
    nullable.as("nullable_index")({ value: day.get("byProduct").get("tea") });
    anything({ value: day });
    anything.as("anything_nested")({ value: { list: [hello, 1], run: run.run_id } });
    optionalOnly();
    optionalOnly.as("optional_given")({ label: hello });
    const join = empty("join", { triggerRule: "all_done" })();
    join.after(hello, greetLater());
    hello.before(day);
  },
);

export const refused = dag(
  "refused",
  { params: z.object({ day: z.iso.date(), limit: z.number().optional() }) },
  ({ params, run }) => {
    const day = extract({ day: params.day });
    const hello = greet();

    // @ts-expect-error a string where a number is wanted
    square({ n: "3" });
    // @ts-expect-error a reference to a string where a number is wanted
    square({ n: hello });
    // @ts-expect-error a whole result where one of its fields is wanted
    square({ n: day });
    // @ts-expect-error a missing argument
    square({});
    // @ts-expect-error no argument at all
    square();
    // @ts-expect-error a misspelt argument
    square({ m: 3 });
    // @ts-expect-error an argument too many
    square({ n: 3, m: 4 });
    // @ts-expect-error an argument for a task that takes none
    greet({ name: "x" });
    // @ts-expect-error a second argument
    square({ n: 3 }, {});
    // @ts-expect-error a positional argument
    square(3);
    // @ts-expect-error a misspelt optional argument
    optionalOnly({ lable: "x" });
    // @ts-expect-error a field that the upstream does not return
    day.get("sails");
    // @ts-expect-error a field that does not exist further down
    day.get("total").get("sum");
    // @ts-expect-error a property of the value itself: it does not exist yet
    void day.day;
    // @ts-expect-error a field of text
    hello.get("length");
    // @ts-expect-error a name where an array wants an index
    day.get("sales").get("id");
    // @ts-expect-error an index outside of a tuple
    day.get("pair").get(2);
    // @ts-expect-error the other item of a tuple
    square({ n: day.get("pair").get(0) });
    // @ts-expect-error an index of an array need not exist
    store({ sales: [day.get("sales").get(0)] });
    // @ts-expect-error a key of a record need not exist
    square({ n: day.get("byProduct").get("coffee") });
    // @ts-expect-error an array of the wrong items
    sum({ parts: [hello] });
    // @ts-expect-error a number in the place of an array
    sum({ parts: day.get("total").get("amount") });
    // @ts-expect-error text outside of a union
    convert({ to: "GBP", options: { rate: 1, note: null } });
    // @ts-expect-error any text where a union is wanted
    convert({ to: hello, options: { rate: 1, note: null } });
    // @ts-expect-error a wrong reference inside an object
    convert({ to: "EUR", options: { rate: hello, note: null } });
    // @ts-expect-error a missing field inside an object
    convert({ to: "EUR", options: { rate: 1 } });
    // @ts-expect-error a misspelt field inside an object
    convert({ to: "EUR", options: { rate: 1, note: null, nota: 1 } });
    // @ts-expect-error a param that is not declared
    extract({ day: params.date });
    // @ts-expect-error a param of another type
    square({ n: params.day });
    // @ts-expect-error an optional param may be null
    square({ n: params.limit });
    // @ts-expect-error manual runs may have no logical date
    text({ value: run.logical_date });
    // @ts-expect-error a fact that runs do not have
    text({ value: run.id });
    // @ts-expect-error order with something that is not a task
    hello.before("extract");
    // @ts-expect-error order with a field of a result
    hello.before(day.get("sales"));
    // @ts-expect-error params have no place in the order
    params.day.before(hello);
  },
);

export const noParams = dag("no_params", {}, ({ params }) => {
  // @ts-expect-error a DAG without params has none
  extract({ day: params.day });
});
