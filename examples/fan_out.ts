// A fan-out of four in the middle, a result along each edge, and a task that fails on its first try and succeeds on its
// second: adds up squares, a quarter of them per task.

import { dag, task } from "windlass";
import * as z from "zod";

const split = task("split", ({ limit }: { limit: number }) => {
  const numbers = Array.from({ length: limit }, (_, index) => index + 1);
  const part = (offset: number) => numbers.filter((number) => number % 4 === offset);
  return { parts: [part(0), part(1), part(2), part(3)] as [number[], number[], number[], number[]] };
});

const square = task("square", ({ numbers }: { numbers: number[] }) => {
  return numbers.reduce((sum, number) => sum + number * number, 0);
});

const add = task("add", { retries: 2, retryDelay: "1s" }, ({ sums }: { sums: number[] }, { try_number }) => {
  if (try_number === 1) throw new Error("The first try fails on purpose, the second one succeeds");
  return sums.reduce((total, sum) => total + sum, 0);
});

const check = task("check", ({ limit, total }: { limit: number; total: number }) => {
  const expected = (limit * (limit + 1) * (2 * limit + 1)) / 6;
  if (total !== expected) throw new Error(`The sum is ${total}, but should be ${expected}`);
  console.log(`The squares of 1 to ${limit} add up to ${total}`);
  return { limit, total };
});

export default dag(
  "fan_out",
  {
    description: "The sum of squares, computed by four tasks at once",
    tags: ["example"],
    params: z.object({ limit: z.int().min(1).max(1000).default(100) }),
  },
  ({ params }) => {
    const parts = split({ limit: params.limit }).get("parts");
    const sums = ([0, 1, 2, 3] as const).map((index) => square.as(`square_${index}`)({ numbers: parts.get(index) }));
    const total = add({ sums });
    check({ limit: params.limit, total });
  },
);
