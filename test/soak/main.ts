// make soak [MINUTES=15] [SEED=…]: exits with 1 when anything was violated.

import { runSoak } from "./soak.ts";

/** 2,000 attempts in a quarter of an hour. */
const ATTEMPTS_PER_MINUTE = 2_000 / 15;

const minutes = Number(process.env["MINUTES"] || 15);
if (!(minutes > 0 && minutes <= 24 * 60))
  throw new Error(`MINUTES is "${process.env["MINUTES"]}": use a number such as 2`);
const seed = process.env["SEED"] || String(Math.floor(Math.random() * 1e9));
const print = (line: string) => void process.stdout.write(`${line}\n`);

const { text, ...report } = await runSoak({
  seed,
  minutes,
  attempts: Math.round(minutes * ATTEMPTS_PER_MINUTE),
  say: print,
});
if (text !== "") print(text);
print(JSON.stringify({ ...report, violations: report.violations.length }));
process.exitCode = report.violations.length === 0 ? 0 : 1;
