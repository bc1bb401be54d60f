/** A clock for what happens many times in a turn of the event loop: to read it each time would cost a hundredth of an event. */
let time: number | undefined;

function forget(): void {
  time = undefined;
}

/** The time of `performance.now()` when it was first asked for in this turn. */
export function timeOfTurn(): number {
  if (time === undefined) {
    time = performance.now();
    setImmediate(forget);
  }
  return time;
}
