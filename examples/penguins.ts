// What can be told of a penguin from its measures? Reads 344 measured penguins, describes each species on its own (a
// fan-out), fits body mass to flipper length, tries to name the species from three measures, and writes a small report.
// The data (CC0, see data/README.md) is part of the bundle, so a task has it in whatever pod it runs.

import { dag, failWithoutRetry, task } from "windlass";
import csv from "./data/penguins.csv";

const SPECIES = ["Adelie", "Chinstrap", "Gentoo"] as const;
type Species = (typeof SPECIES)[number];

interface Penguin {
  species: Species;
  island: string;
  bill: number;
  flipper: number;
  mass: number;
  sex: "female" | "male" | null;
}

interface Description {
  species: Species;
  count: number;
  islands: string[];
  bill: Spread;
  flipper: Spread;
  mass: Spread;
  /** How much heavier males are than females, in per cent. */
  dimorphism: number;
}

interface Spread {
  mean: number;
  deviation: number;
}

interface Fit {
  slope: number;
  intercept: number;
  correlation: number;
}

const read = task("read", { description: "The penguins with complete measures" }, () => {
  const [header = "", ...rows] = csv.trim().split("\n");
  const columns = header.split(",");
  const penguins: Penguin[] = [];
  for (const row of rows) {
    const cells = row.split(",");
    const cell = (name: string) => cells[columns.indexOf(name)] ?? "NA";
    const penguin = {
      species: parseSpecies(cell("species")),
      island: cell("island"),
      bill: Number(cell("bill_length_mm")),
      flipper: Number(cell("flipper_length_mm")),
      mass: Number(cell("body_mass_g")),
      sex: parseSex(cell("sex")),
    };
    if (![penguin.bill, penguin.flipper, penguin.mass].some(Number.isNaN)) penguins.push(penguin);
  }
  console.log(`${penguins.length} of ${rows.length} penguins have all measures`);
  return { penguins, incomplete: rows.length - penguins.length };
});

const describe = task("describe", ({ penguins, species }: { penguins: Penguin[]; species: Species }): Description => {
  const own = penguins.filter((penguin) => penguin.species === species);
  const massOf = (sex: "female" | "male") =>
    spread(own.filter((penguin) => penguin.sex === sex).map(({ mass }) => mass)).mean;
  return {
    species,
    count: own.length,
    islands: [...new Set(own.map(({ island }) => island))].toSorted(),
    bill: spread(own.map(({ bill }) => bill)),
    flipper: spread(own.map(({ flipper }) => flipper)),
    mass: spread(own.map(({ mass }) => mass)),
    dimorphism: round((massOf("male") / massOf("female") - 1) * 100),
  };
});

const fitMass = task("fit_mass", ({ penguins }: { penguins: Penguin[] }): Fit => {
  const x = penguins.map(({ flipper }) => flipper);
  const y = penguins.map(({ mass }) => mass);
  const slope = covariance(x, y) / covariance(x, x);
  const correlation = covariance(x, y) / Math.sqrt(covariance(x, x) * covariance(y, y));
  return { slope: round(slope), intercept: round(mean(y) - slope * mean(x)), correlation: round(correlation, 3) };
});

const classify = task(
  "classify",
  { description: "Names each penguin after the species whose means are nearest, in standard deviations" },
  ({ penguins, descriptions }: { penguins: Penguin[]; descriptions: Description[] }) => {
    const measures = ["bill", "flipper", "mass"] as const;
    const distance = (penguin: Penguin, description: Description) =>
      Math.hypot(...measures.map((name) => (penguin[name] - description[name].mean) / description[name].deviation));
    const right = penguins.filter((penguin) => {
      const nearest = descriptions.toSorted((a, b) => distance(penguin, a) - distance(penguin, b))[0];
      return nearest?.species === penguin.species;
    });
    return { right: right.length, of: penguins.length, accuracy: round((right.length / penguins.length) * 100) };
  },
);

interface ReportInputs {
  descriptions: Description[];
  fit: Fit;
  accuracy: number;
  incomplete: number;
}

const report = task("report", ({ descriptions, fit, accuracy, incomplete }: ReportInputs) => {
  const cells = ({ mean: value, deviation }: Spread) => `${value} ± ${deviation}`;
  const lines = [
    "| species | count | bill (mm) | flipper (mm) | mass (g) | males heavier by |",
    "| --- | --- | --- | --- | --- | --- |",
    ...descriptions.map(
      ({ species, count, bill, flipper, mass, dimorphism }) =>
        `| ${species} | ${count} | ${cells(bill)} | ${cells(flipper)} | ${cells(mass)} | ${dimorphism} % |`,
    ),
    `Each millimetre of flipper adds ${fit.slope} g (r = ${fit.correlation}).`,
    `Three measures name the species of ${accuracy} % of them; ${incomplete} were left out for missing measures.`,
  ];
  console.log(lines.join("\n"));
  return {
    text: lines.join("\n"),
    heaviest: descriptions.toSorted((a, b) => b.mass.mean - a.mass.mean)[0]?.species ?? null,
  };
});

export default dag("penguins", { description: "Statistics of the Palmer penguins", tags: ["example"] }, () => {
  const data = read();
  const penguins = data.get("penguins");
  const descriptions = SPECIES.map((species) =>
    describe.as(`describe_${species.toLowerCase()}`)({ penguins, species }),
  );
  const fit = fitMass({ penguins });
  const classified = classify({ penguins, descriptions });
  report({ descriptions, fit, accuracy: classified.get("accuracy"), incomplete: data.get("incomplete") });
});

function parseSpecies(text: string): Species {
  const found = SPECIES.find((species) => species === text);
  if (found) return found;
  throw failWithoutRetry(`The data has an unknown species: ${text}`);
}

function parseSex(text: string): Penguin["sex"] {
  return text === "female" || text === "male" ? text : null;
}

function spread(values: readonly number[]): Spread {
  return { mean: round(mean(values)), deviation: round(Math.sqrt(covariance(values, values))) };
}

function covariance(x: readonly number[], y: readonly number[]): number {
  const [meanX, meanY] = [mean(x), mean(y)];
  const products = x.map((value, index) => (value - meanX) * ((y[index] ?? meanY) - meanY));
  return products.reduce((sum, product) => sum + product, 0) / (x.length - 1);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}
