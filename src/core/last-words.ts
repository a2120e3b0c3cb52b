// What a process wrote last, where that says more of its end than its exit code does.

/** V8 ends the process with a signal of its own. */
export const HEAP_EXHAUSTED = "JavaScript heap out of memory";

/** A worker without contact for too long, whose task holds its main thread, can end itself by a signal alone. */
export const GAVE_UP = "so this attempt may have been replaced; stopping";
