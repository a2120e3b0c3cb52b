// Prints what a run of 10,000 instances costs Postgres against one of 1,000, for each shape, as ratios of time and of pages
// touched: 10 is linear.
// `bench-progress.ts SMALL LARGE "SHAPE"` takes other sizes, and one shape. Time is the least of three rounds, because whatever
// else the machine does adds to it: one run in three is a fifth slower. A round's small run is the mean of five, for the least
// of short runs would be a lucky one, as a long run never is. Ends with 1 when the pages are more than a tenth beyond linear.

import { createDatabase, migrateDatabase } from "../test/support/postgres-database.ts";
import { startPostgres } from "../test/support/postgres-server.ts";
import { measureRun, type Progress, SHAPES, type Shape } from "../test/support/measure-progress.ts";

const ROUNDS = 3;
const SMALL_RUNS = 5;

const [small = "1000", large = "10000", only] = process.argv.slice(2);

const server = await startPostgres();
try {
  for (const shape of SHAPES.filter(({ name }) => only === undefined || name === only)) {
    let less = await measureMean(shape, Number(small), SMALL_RUNS);
    let more = await measure(shape, Number(large));
    for (let round = 2; round <= ROUNDS; round += 1) {
      less = lesser(less, await measureMean(shape, Number(small), SMALL_RUNS));
      more = lesser(more, await measure(shape, Number(large)));
    }
    const time = more.active / less.active;
    const pages = more.pages / less.pages;
    const linear = more.instances / less.instances;
    console.log(
      `${shape.name}: ${less.instances} instances ${Math.round(less.active)} ms, ${more.instances} instances ${Math.round(more.active)} ms, ` +
        `ratio ${time.toFixed(2)} of time, ${pages.toFixed(2)} of pages (linear ${linear.toFixed(2)})`,
    );
    if (pages > linear * 1.1) process.exitCode = 1;
  }
} finally {
  await server.stop();
}

function lesser(a: Progress, b: Progress): Progress {
  return b.active < a.active ? b : a;
}

async function measureMean(shape: Shape, instances: number, runs: number): Promise<Progress> {
  const all: Progress[] = [];
  for (let run = 0; run < runs; run += 1) all.push(await measure(shape, instances));
  const mean = (of: "active" | "pages" | "instances") => all.reduce((sum, each) => sum + each[of], 0) / runs;
  return { active: mean("active"), pages: mean("pages"), instances: mean("instances") };
}

async function measure(shape: Shape, instances: number) {
  const database = await createDatabase(server.url, "template0");
  await migrateDatabase(database.url);
  try {
    return await measureRun(database, shape, instances);
  } finally {
    await database.drop();
  }
}
