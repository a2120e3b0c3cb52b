// The API under the address that workers are given.

import type { Check } from "./check.ts";
import { describeFault, ok, problem, warning } from "./check.ts";

const DEADLINE_MS = 10_000;

export async function checkApi(address: string | undefined): Promise<Check> {
  if (address === undefined) {
    const advice = "set it to check the API: the scheduler needs it, to tell workers where to report";
    return warning("api", "WINDLASS_API_URL is not set", advice);
  }
  const url = `${address.replace(/\/+$/, "")}/livez`;
  const advice = "check WINDLASS_API_URL, and that the API runs and may be reached from here";
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS) });
    await answer.body?.cancel();
    if (answer.ok) return ok("api", `${address} answers`);
    return problem("api", `GET ${url} answers ${answer.status}`, advice);
  } catch (error) {
    return problem("api", `GET ${url} got no answer: ${describeFault(error)}`, advice);
  }
}
