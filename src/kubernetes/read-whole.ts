// Answers whose end nobody can tell: when the copy of a log between node and server breaks, the server ends its answer as if
// that were all (kubernetes' StreamObject drops the error of its copy).

// A log that still grows never comes twice.
const MOST_READINGS = 4;

/** Reads until the largest answer has come twice; the largest. */
export async function readWhole<T>(read: () => Promise<T>, sizeOf: (answer: T) => number): Promise<T> {
  let largest = await read();
  for (let readings = 1; readings < MOST_READINGS; readings += 1) {
    const again = await read();
    if (sizeOf(again) === sizeOf(largest)) break;
    if (sizeOf(again) > sizeOf(largest)) largest = again;
  }
  return largest;
}
