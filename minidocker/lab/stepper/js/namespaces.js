// Namespaces: who shares which with whom, and each task's number in every PID namespace. Twin of namespaces_view.py.
import { Drawing, byLine, containerOf, ever, numberOf, sortedSpaces, statusWords } from "./drawing.js";

const SPACE_KINDS = {
  user: "who one is",
  pid: "numbers",
  mnt: "mounts",
  net: "network",
  ipc: "queues",
  uts: "host name",
  cgroup: "groups",
  time: "clocks",
};
const N = { name: 152, wide: 80, narrow: 54, pids: 60, head: 46, row: 42, mostTasks: 40, mostPids: 6 };

export function namespaces(trace, state, old) {
  const drawing = new Drawing();
  const tasks = Object.keys(state.tasks || {}).sort(byLine);
  const shown = tasks.slice(0, N.mostTasks);
  const spaces = ever(trace, "namespaces");
  const numbers = sortedSpaces(spaces.filter((space) => space.startsWith("pid:"))).slice(0, N.mostPids);
  const columns = spaceColumns(spaces, N.name + numbers.length * N.pids + 12);
  for (const [kind, x, w] of columns) {
    drawing.text(`head ${kind}`, "title", x + 8, 18, kind, w - 8);
    drawing.text(`what ${kind}`, "note", x + 8, 34, w === N.wide ? SPACE_KINDS[kind] : "", w - 8);
  }
  numbers.forEach((space, place) => numberHead(drawing, state, space, N.name + place * N.pids));
  shown.forEach((task, place) => taskRow(drawing, state, old, task, N.head + place * N.row));
  for (const [kind, x, w] of columns) laneColumn(drawing, state, old, kind, shown, x, w);
  shown.forEach((task, place) => {
    taskNumbers(drawing, state, old, task, numbers, N.name, N.head + place * N.row);
    sayTask(drawing, state, old, task);
  });
  const bottom = N.head + shown.length * N.row;
  const more = tasks.length - shown.length;
  let told = more ? `… and ${more} more tasks` : "a bar over several rows: one namespace, shared";
  if (numbers.length) told += " · numbers: the task in each PID namespace, its own in bold";
  const [, x, w] = columns.at(-1);
  const width = x + w;
  drawing.text("foot", "note", 8, bottom + 20, told, width - 8);
  const held = withoutTasks(state);
  if (held.length) {
    const said = `no task is in ${held.join(", ")}: a descriptor, a mount, a namespace inside or its maker keeps it`;
    drawing.text("held", "note", 8, bottom + 38, said, width - 8);
    drawing.say(0, said);
  }
  return drawing.done("namespaces", width, bottom + (held.length ? 50 : 32));
}

function forChildren(row) {
  return [row.pid_for_children, row.time_for_children].filter(Boolean).join(", ");
}

function withoutTasks(state) {
  const used = new Set(Object.values(state.tasks || {}).flatMap((row) => Object.values(row.namespaces || {})));
  return Object.keys(state.namespaces || {}).filter((space) => !used.has(space));
}

function spaceColumns(spaces, start) {
  let x = start;
  return Object.keys(SPACE_KINDS).map((kind) => {
    const several = spaces.some((space) => space.startsWith(`${kind}:`) && numberOf(space) > 1);
    const column = [kind, x, several ? N.wide : N.narrow];
    x += column[2];
    return column;
  });
}

function numberHead(drawing, state, space, x) {
  const row = (state.namespaces || {})[space];
  drawing.text(`number ${space}`, row ? "title" : "title dim", x + N.pids - 12, 18, space, N.pids - 8, "end");
  const note = !row ? "" : row.parent ? `in ${row.parent}` : "outer";
  drawing.text(`around ${space}`, "note", x + N.pids - 12, 34, note, N.pids, "end");
}

const depthOf = (task) => Math.min(task.split(".").length - 1, 5);

function taskRow(drawing, state, old, task, y) {
  const row = state.tasks[task];
  const status = statusWords(state, task);
  drawing.box(`task ${task}`, (old.tasks || {})[task] ? "row" : "row now", 0, y + 2, N.name - 6, N.row - 4);
  const indent = 10 + 12 * depthOf(task);
  drawing.text(`name ${task}`, status ? "title dead" : "title", indent, y + 18, row.name ?? "?", N.name - indent - 16);
  const later = forChildren(row);
  const born = later ? `children in ${later}` : "";
  const words = [task, containerOf(state, task), row.uid ? `uid ${row.uid}` : "", status, born];
  drawing.text(`note ${task}`, "note", indent, y + 33, words.filter(Boolean).join(" · "), N.name - indent - 12);
}

function spaceOf(state, task, kind) {
  return (((state.tasks || {})[task] || {}).namespaces || {})[kind] || "";
}

// A column: a box for each run of tasks that share a namespace.
function laneColumn(drawing, state, old, kind, tasks, x, w) {
  let first = 0;
  for (let number = 1; number <= tasks.length; number += 1) {
    const space = spaceOf(state, tasks[first], kind);
    if (number < tasks.length && spaceOf(state, tasks[number], kind) === space) continue;
    const run = tasks.slice(first, number);
    if (space) {
      const isNew = !(space in (old.namespaces || {}));
      const changed = isNew || run.some((task) => !["", space].includes(spaceOf(old, task, kind)));
      lane(drawing, state, space, run[0], x, w, N.head + first * N.row, run.length, changed);
    }
    first = number;
  }
}

function lane(drawing, state, space, first, x, w, y, count, changed) {
  const number = numberOf(space);
  const kind = `lane ${number === 1 ? "first" : `tint${(number - 2) % 6}`}${changed ? " now" : ""}`;
  drawing.box(`lane ${space} ${first}`, kind, x + 3, y + 3, w - 6, count * N.row - 6);
  drawing.text(`id ${space} ${first}`, "word", x + 11, y + 19, w === N.wide ? space : `:${number}`, w - 16);
  drawing.text(`of ${space} ${first}`, "note", x + 11, y + 33, w === N.wide ? spaceNote(state, space) : "", w - 18);
}

function spaceNote(state, space) {
  const row = (state.namespaces || {})[space] || {};
  const kind = space.slice(0, space.indexOf(":"));
  if (kind === "uts") return row.hostname || "";
  if (kind === "time") {
    const ahead = row.boottime ?? row.monotonic;
    return ahead === undefined ? "" : `${ahead < 0 ? "" : "+"}${ahead} s`;
  }
  if (kind === "user" && (row.uid_map || []).length) return `${row.uid_map[0][0]} is ${row.uid_map[0][1]}`;
  if (kind === "user" || kind === "pid") return row.parent ? `in ${row.parent}` : "";
  if (kind !== "mnt" && kind !== "net") return "";
  const count = Object.keys((state[kind === "mnt" ? "mounts" : "links"] || {})[space] || {}).length;
  const noun = kind === "mnt" ? "mount" : "link";
  return !count ? "" : count === 1 ? `${count} ${noun}` : `${count} ${noun}s`;
}

function pidChain(state, task) {
  const chain = [];
  let space = spaceOf(state, task, "pid");
  while (space && !chain.includes(space)) {
    chain.unshift(space);
    space = ((state.namespaces || {})[space] || {}).parent || "";
  }
  return chain;
}

function numbersOf(state, task) {
  const pids = state.tasks[task].pids || [];
  return new Map(pidChain(state, task).map((space, place) => [space, pids[place] ?? 0]));
}

function taskNumbers(drawing, state, old, task, spaces, left, y) {
  const own = spaceOf(state, task, "pid");
  const numbers = numbersOf(state, task);
  const isNew = !(old.tasks || {})[task];
  spaces.forEach((space, column) => {
    const x = left + column * N.pids;
    if (!numbers.has(space)) {
      drawing.text(`pid ${task} ${space}`, "note", x + N.pids - 12, y + 25, "–", N.pids, "end");
      return;
    }
    const said = String(numbers.get(space) || "?");
    const kind = `number${space === own ? " own" : ""}${isNew ? " now" : ""}`;
    drawing.box(`pidbox ${task} ${space}`, kind, x + 2, y + 8, N.pids - 6, N.row - 16);
    const word = space === own ? "title own" : "word";
    drawing.text(`pid ${task} ${space}`, word, x + N.pids - 12, y + 25, said, N.pids - 8, "end");
  });
}

function sayTask(drawing, state, old, task) {
  const row = state.tasks[task];
  const depth = depthOf(task);
  const words = [containerOf(state, task), statusWords(state, task)].filter(Boolean);
  const before = ((old.tasks || {})[task] || {}).namespaces;
  const changed = JSON.stringify(sorted(before)) !== JSON.stringify(sorted(row.namespaces));
  drawing.say(depth, [`${row.name ?? "?"} (${task})`, ...words].join(", "), changed);
  const own = Object.keys(SPACE_KINDS).map((kind) => spaceOf(state, task, kind));
  drawing.say(depth + 1, own.filter(Boolean).join(" "));
  const numbers = [...numbersOf(state, task)].map(([space, number]) => `${number || "?"} in ${space}`);
  drawing.say(depth + 1, numbers.length ? `number ${numbers.join(", ")}` : "");
  if (forChildren(row)) drawing.say(depth + 1, `its children are born in ${forChildren(row)}`);
}

const sorted = (value) => value && Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
