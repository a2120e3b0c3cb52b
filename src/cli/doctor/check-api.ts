// The API under the address that workers are given.

import type { Check } from "./check.ts";
import { describeFault, ok, problem, warning } from "./check.ts";

const DEADLINE_MS = 10_000;

/** @param setting which holds the address */
export async function checkApi(
  address: string | undefined,
  check = "api",
  setting = "WINDLASS_API_URL",
): Promise<Check> {
  if (address === undefined) {
    const advice = "set it to check the API: the scheduler needs it, to tell workers where to report";
    return warning(check, `${setting} is not set`, advice);
  }
  const url = `${address.replace(/\/+$/, "")}/livez`;
  const advice = `check ${setting}, and that the API runs and may be reached from here`;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS) });
    await answer.body?.cancel();
    if (answer.ok) return ok(check, `${address} answers`);
    return problem(check, `GET ${url} answers ${answer.status}`, advice);
  } catch (error) {
    return problem(check, `GET ${url} got no answer: ${describeFault(error)}`, advice);
  }
}
