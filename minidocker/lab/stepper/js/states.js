// States: a container's states, what leads from one to another, and where each container is. Twin of states_view.py.
import { Drawing } from "./drawing.js";

const STATE = { w: 128, h: 50, width: 650, height: 324 };
const STATES = {
  created: [2, 130],
  running: [232, 130],
  paused: [232, 2],
  restarting: [486, 2],
  exited: [486, 130],
  removing: [486, 258],
  dead: [232, 258],
};
// prettier-ignore
const ARROWS = [
  ["created", "running", "start", [[130, 155], [232, 155]], [181, 148, "middle"]],
  ["running", "paused", "pause", [[262, 130], [262, 52]], [255, 96, "end"]],
  ["paused", "running", "unpause", [[296, 52], [296, 130]], [303, 96, "start"]],
  ["running", "exited", "ends, stop, kill", [[360, 143], [486, 143]], [423, 136, "middle"]],
  ["exited", "running", "start", [[486, 167], [360, 167]], [423, 184, "middle"]],
  ["exited", "restarting", "by policy", [[550, 130], [550, 52]], [558, 96, "start"]],
  ["restarting", "running", "", [[486, 27], [440, 27], [440, 110], [346, 110], [346, 130]], [440, 20, "middle"]],
  ["exited", "removing", "rm", [[550, 180], [550, 258]], [558, 224, "start"]],
  ["created", "removing", "rm", [[66, 180], [66, 232], [516, 232], [516, 258]], [76, 226, "start"]],
  ["removing", "dead", "rm fails", [[486, 283], [360, 283]], [423, 276, "middle"]],
];

const SIGNAL_NAMES = { 1: "HUP", 2: "INT", 3: "QUIT", 6: "ABRT", 9: "KILL", 11: "SEGV", 13: "PIPE", 14: "ALRM", 15: "TERM" }; // prettier-ignore

export function states(trace, state, old, steps) {
  const drawing = new Drawing();
  const last = lastChange(trace, steps.length ? steps.at(-1).index : -1);
  for (const [start, end, words, points, [x, y, at]] of ARROWS) {
    const taken = last && last.old === start && last.new === end;
    drawing.arrow(`arrow ${start} ${end}`, taken ? "arrow now" : "arrow", points);
    drawing.text(`by ${start} ${end}`, taken ? "note changed" : "note", x, y, words, 140, at);
  }
  const names = Object.fromEntries(Object.keys(STATES).map((name) => [name, []]));
  for (const [name, row] of Object.entries(state.containers || {})) {
    (names[row.status || ""] ||= []).push(whoWords(name, row));
  }
  const first = steps.length ? steps[0].index - 1 : -1;
  for (const [name, [x, y]] of Object.entries(STATES)) {
    const here = names[name];
    const lit = here.length > 0;
    const now = last && last.new === name && last.index > first;
    const kind = `state ${name}${lit ? " lit" : ""}${now ? " now" : ""}`;
    drawing.box(`state ${name}`, kind, x, y, STATE.w, STATE.h, 10);
    const middle = x + STATE.w / 2;
    drawing.text(`name ${name}`, lit ? "title" : "title dim", middle, y + (lit ? 20 : 30), name, STATE.w, "middle");
    drawing.text(`who ${name}`, "word", middle, y + 39, here.join(", "), STATE.w - 8, "middle");
    if (lit) drawing.say(0, `${name}: ${here.join(", ")}`, Boolean(now));
  }
  const said = last ? last.text : "";
  drawing.text("last", "word", 2, STATE.height + 6, said, STATE.width);
  drawing.say(0, said || "no container yet");
  return drawing.done("states", STATE.width, STATE.height + 18);
}

// The last time that a container came into another state: from where, where to, and by what.
function lastChange(trace, until) {
  for (let number = until; number >= 0; number -= 1) {
    const step = trace.steps[number];
    for (const [path, was, now] of step.changes) {
      const [before, after] = [statusesAt(path, was), statusesAt(path, now)];
      for (const name of new Set([...before.keys(), ...after.keys()])) {
        const [left, right] = [before.get(name) || "", after.get(name) || ""];
        if (left === right) continue;
        const words = [`${name}: ${left || "not there"} → ${right || "gone"}`, step.text, signalWords(path, now)];
        const text = [...words, `$ ${trace.command}`].filter(Boolean).join(" · ");
        return { old: left, new: right, index: step.index, text };
      }
    }
  }
  return null;
}

// Which signal ended a container's first task, and whether it was the OOM killer's; "" if none did.
function signalWords(path, row) {
  const code = path.length === 2 && row ? row.exit_code || 0 : 0;
  if (code <= 128) return "";
  const name = SIGNAL_NAMES[code - 128] || String(code - 128);
  return `ended by SIG${name}${row.oom_killed ? " of the OOM killer" : ""}`;
}

function whoWords(name, row) {
  return "exit_code" in row ? `${name} (${row.exit_code}${row.oom_killed ? ", OOM" : ""})` : name;
}

function statusesAt(path, value) {
  if (path[0] !== "containers") return new Map();
  if (path.length === 3) return new Map(path[2] === "status" && value ? [[path[1], String(value)]] : []);
  const rows = path.length === 2 ? { [path[1]]: value } : value || {};
  return new Map(
    Object.entries(rows)
      .filter(([, row]) => row)
      .map(([name, row]) => [name, String(row.status || "")]),
  );
}
