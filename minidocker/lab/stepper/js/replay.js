// Replay: the state after any step. Changes are applied forwards and undone backwards at the same cost, and what they
// do not touch is shared between states, so that a view sees by identity what stayed.
const EVERY = 64;

export class Replay {
  constructor(trace) {
    this.steps = trace.steps;
    this.at = -1;
    this.state = trace.initial;
    this.kept = new Map([[-1, trace.initial]]);
  }

  go(index) {
    const start = Math.floor((index + 1) / EVERY) * EVERY - 1;
    if (this.kept.has(start) && Math.abs(index - this.at) > index - start) {
      this.at = start;
      this.state = this.kept.get(start);
    }
    while (this.at < index) {
      this.at += 1;
      for (const [path, , now] of this.steps[this.at].changes) this.state = putAt(this.state, path, 0, now);
      if ((this.at + 1) % EVERY === 0) this.kept.set(this.at, this.state);
    }
    while (this.at > index) {
      const changes = this.steps[this.at].changes;
      for (let n = changes.length - 1; n >= 0; n -= 1) this.state = putAt(this.state, changes[n][0], 0, changes[n][1]);
      this.at -= 1;
    }
    return this.state;
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
