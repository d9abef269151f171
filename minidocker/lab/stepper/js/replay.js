// Replay: the state after any step. States come in runs of so many steps: a run is computed once and kept with its
// neighbours, so a step backwards costs what one forwards does. What a change does not touch is shared between states:
// a view sees by identity what stayed.
const RUN = 64;
const KEPT_RUNS = 4;

export class Replay {
  constructor(trace) {
    this.steps = trace.steps;
    this.starts = [trace.initial]; // the state before each run's first step
    this.runs = new Map();
  }

  // The state after a step; -1 is the one before the first.
  go(index) {
    if (index < 0) return this.starts[0];
    const number = Math.floor(index / RUN);
    return this.run(number)[index - number * RUN];
  }

  run(number) {
    let states = this.runs.get(number);
    if (states) return states;
    for (let before = this.starts.length - 1; before < number; before += 1)
      this.starts.push(this.compute(before).at(-1));
    states = this.compute(number);
    this.runs.set(number, states);
    if (this.runs.size > KEPT_RUNS) this.runs.delete(this.runs.keys().next().value);
    return states;
  }

  compute(number) {
    let state = this.starts[number];
    return this.steps.slice(number * RUN, (number + 1) * RUN).map((step) => {
      for (const [path, , now] of step.changes) state = putAt(state, path, 0, now);
      return state;
    });
  }
}

function putAt(value, path, depth, now) {
  const copy = { ...value };
  const key = path[depth];
  if (depth + 1 < path.length) copy[key] = putAt(copy[key] || {}, path, depth + 1, now);
  else if (now === null) delete copy[key];
  else copy[key] = now;
  return copy;
}
