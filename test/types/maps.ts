// Maps, groups, setups and teardowns: programs that must compile and, under `@ts-expect-error`, programs that must not.

import { dag, empty, group, kubernetesPod, task } from "windlass";
import { z } from "zod";

interface Customer {
  id: string;
  amount: number;
  tags: string[];
}

const listNumbers = task("list_numbers", () => [1, 2, 3]);
const listCustomers = task("list_customers", (): Customer[] => []);
const listWords = task("list_words", () => ["a", "b"]);
const count = task("count", () => 3);
const square = task("square", ({ n, factor = 1 }: { n: number; factor?: number }) => n * n * factor);
const scale = task("scale", ({ n, by }: { n: number; by: number }) => ({ value: n * by }));
const charge = task("charge", ({ customer }: { customer: Customer }) => ({ id: customer.id, paid: customer.amount }));
const sum = task("sum", ({ parts }: { parts: number[] }) => parts.length);
const name = task("name", ({ text }: { text: string }) => text);
const rows = task("rows", ({ values }: { values: { value: number }[] }) => values.length);
const image = kubernetesPod("image", { image: "busybox" });
const start = task("start", () => "url");
const stop = task("stop", ({ url }: { url: string }) => url);

export const accepted = dag("accepted", { params: z.object({ days: z.array(z.string()) }) }, ({ params }) => {
  const numbers = listNumbers();
  const squares = square.map({ n: numbers });
  sum({ parts: squares });
  square.as("chained").map({ n: squares }, { factor: 2 });
  square.as("literal").map({ n: [1, 2, count.as("third")()] });
  square.as("both").map({ n: numbers, factor: [1, 2] });
  scale.map({ n: numbers }, { by: 2 });
  scale.as("by_reference").map({ n: numbers }, { by: count() });
  rows({ values: scale.as("cross").map({ n: numbers, by: numbers }) });
  scale.as("pairs").zip({ n: numbers, by: squares });
  name.map({ text: params.days });
  const charged = charge.map(
    { customer: listCustomers() },
    {},
    { name: ({ customer }) => customer.get("id"), maxMapLength: 10_000 },
  );
  scale.as("named").map({ n: numbers }, { by: 1 }, { name: ({ n }) => ["n = ", n] });
  image.map({ env: [{ DAY: "1" }, { DAY: params.days.get(0) }] });

  const plain = group("load", () => {
    const inner = group("deeper", () => square.as("deep")({ n: 1 }));
    return { deep: inner.result, words: listWords() };
  });
  square.as("outside")({ n: plain.result.deep });
  name.as("words").map({ text: plain.result.words });
  plain.after(charged);
  plain.before(empty("end")());
  charged.before(plain);

  const each = group("per_customer", { over: listCustomers.as("more")(), name: (c) => c.get("id") }, (customer) => {
    const paid = charge.as("pay")({ customer });
    const word = name.as("id")({ text: customer.get("id") });
    word.after(paid);
    return { paid: paid.get("paid"), word };
  });
  sum.as("all_paid")({ parts: each.result.paid });
  name.as("each_word").map({ text: each.result.word });
  group("days", { over: params.days, maxMapLength: 10 }, (day) => name.as("day")({ text: day }));
  group("literals", { over: [1, 2, 3] }, (n) => square.as("of_literal")({ n }));

  const url = start().asSetup();
  const used = name.as("use")({ text: url });
  stop({ url }).asTeardown({ of: url, failsRun: true }).after(used);
});

export const refused = dag("refused", { params: z.object({ days: z.array(z.string()) }) }, ({ params }) => {
  const numbers = listNumbers();
  const words = listWords();
  const squares = square.map({ n: numbers });

  // @ts-expect-error an array of the wrong items
  square.map({ n: words });
  // @ts-expect-error no array
  square.map({ n: count() });
  // @ts-expect-error a literal that is no array
  square.map({ n: 3 });
  // @ts-expect-error an input that the task does not have
  square.map({ m: numbers });
  // @ts-expect-error an input beside the arrays that the task needs
  scale.map({ n: numbers });
  // @ts-expect-error an array where all instances share one value
  scale.map({ n: numbers }, { by: numbers });
  // @ts-expect-error a shared input of the wrong type
  scale.map({ n: numbers }, { by: "2" });
  // @ts-expect-error an input as an array and as a value for all
  scale.map({ n: numbers }, { n: 1, by: 2 });
  // @ts-expect-error a shared input that the task does not have
  square.map({ n: numbers }, { times: 2 });
  // @ts-expect-error one of the zipped arrays has the wrong items
  scale.zip({ n: numbers, by: words });
  // @ts-expect-error the array of results where one result is wanted
  square({ n: squares });
  // @ts-expect-error one result where the array is wanted
  sum({ parts: count() });
  // @ts-expect-error a field of the array of results
  scale.as("cross").map({ n: numbers }, { by: 1 }).get("value");
  // @ts-expect-error a result of the map need not exist
  square({ n: squares.get(0) });
  // @ts-expect-error the wrong items for the next map
  name.map({ text: squares });
  // @ts-expect-error a field that the item does not have
  charge.map({ customer: listCustomers() }, {}, { name: ({ customer }) => customer.get("name") });
  // @ts-expect-error a name made of an object
  charge.map({ customer: listCustomers() }, {}, { name: ({ customer }) => customer });
  // @ts-expect-error an input in the name that is not mapped
  scale.map({ n: numbers }, { by: 1 }, { name: ({ by }) => by });
  // @ts-expect-error an option that does not exist
  square.map({ n: numbers }, {}, { maxLength: 3 });
  // @ts-expect-error a param that is an array of something else
  square.map({ n: params.days });
  // @ts-expect-error a group over what is no array
  group("g", { over: count() }, () => {});
  // @ts-expect-error the item of a group where something else is wanted
  group("g", { over: words }, (word) => square({ n: word }));
  const each = group("g", { over: numbers }, (n) => ({ one: square({ n }) }));
  // @ts-expect-error one value where the group gives an array
  square({ n: each.result.one });
  // @ts-expect-error a result that the group does not return
  sum({ parts: each.result.two });
  // @ts-expect-error the group itself where its result is wanted
  sum({ parts: each });
  // @ts-expect-error order with what a group returned beside tasks
  each.before(each.result);
  // @ts-expect-error a teardown of something that is not a task
  stop({ url: start() }).asTeardown({ of: "start" });
  // @ts-expect-error an option of a teardown that does not exist
  stop({ url: start() }).asTeardown({ failRun: true });
});
