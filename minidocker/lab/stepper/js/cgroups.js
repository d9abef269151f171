// Cgroups: the tree of control groups, what was written into them, and meters. Twin of cgroups_view.py.
import { Drawing, byLine, containersById, frozenGroups } from "./drawing.js";

const CGROUP_ROOT = "/sys/fs/cgroup";
// As in cgroup_table.py: names below the root that are hierarchies of their own.
const HIERARCHIES = new Set(
  `cpu cpuacct cpu,cpuacct cpuset memory pids freezer devices blkio net_cls net_prio net_cls,net_prio perf_event hugetlb
  rdma misc unified systemd`.split(/\s+/),
);
const FLAGS = {
  "memory.max": "-m",
  "memory.limit_in_bytes": "-m",
  "memory.low": "--memory-reservation",
  "memory.soft_limit_in_bytes": "--memory-reservation",
  "memory.swap.max": "--memory-swap",
  "memory.memsw.limit_in_bytes": "--memory-swap",
  "cpu.max": "--cpus",
  "cpu.cfs_quota_us": "--cpus",
  "cpu.cfs_period_us": "--cpus",
  "cpu.weight": "--cpu-shares",
  "cpu.shares": "--cpu-shares",
  "cpuset.cpus": "--cpuset-cpus",
  "pids.max": "--pids-limit",
  "cgroup.freeze": "docker pause",
  "freezer.state": "docker pause",
};
const METERS = [
  ["memory", ["memory.current", "memory.usage_in_bytes"], ["memory.max", "memory.limit_in_bytes"]],
  ["pids", ["pids.current"], ["pids.max"]],
];
const USED_CPU = { "cpu.stat": 1, "cpuacct.usage": 1000 };
const WEIGHTS = { "cpu.weight": 100, "cpu.shares": 1024 };
const C = { name: 186, files: 372, meter: 196, head: 34, line: 20, spark: 24 };
const DIGITS = /^[0-9]+$/;

export function cgroups(trace, state, old, steps) {
  const drawing = new Drawing();
  const groups = Object.keys(state.cgroups || {})
    .map((group) => [group.replaceAll("/", "\u0000"), group])
    .sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0))
    .map(([, group]) => group);
  const marked = new Map(steps.filter((step) => step.data).map((step) => [step.data.path, step.call]));
  const width = C.name + C.files + C.meter + 16;
  const heads = [[10, "group and tasks"], [C.name, "written, and the flag that sets it"], [C.name + C.files, "used"]]; // prettier-ignore
  for (const [x, text] of heads) drawing.text(`head ${text}`, "title dim", x, 20, text, 300);
  let y = C.head;
  for (const group of groups) y += groupRow(drawing, trace, state, old, group, y, marked.get(group) || "");
  if (!groups.length) {
    drawing.text("none", "note", 10, y + 14, "no control groups yet: all tasks are in the root", width);
    drawing.say(0, "no control groups yet: all tasks are in the root");
    y += C.line;
  }
  const tasks = state.tasks || {};
  const root = Object.keys(tasks)
    .filter((task) => !Object.keys(tasks[task].cgroups || {}).length)
    .sort(byLine);
  const said = `in the root, without limits: ${root.map((task) => `${tasks[task].name} ${task}`).join(", ")}`;
  drawing.text("root", "note", 10, y + 16, root.length ? said : "", width - 20);
  return drawing.done("cgroups", width, y + 28);
}

function groupRow(drawing, trace, state, old, group, y, mark) {
  const row = state.cgroups[group];
  const all = Object.entries(row.files || {}).map(([name, value]) => [name, String(value)]);
  const files = [...all.filter(([name]) => name in FLAGS), ...all.filter(([name]) => !(name in FLAGS))];
  const meters = metersOf(state, group);
  const sparks = memorySeries(trace, group);
  const measured = C.line * meters.length + (meters.length && sparks.length ? C.spark + 8 : 0);
  const height = 16 + Math.max(C.line * Math.max(2, files.length), measured);
  const frozen = frozenGroups(state).has(group);
  const before = (old.cgroups || {})[group];
  const now = mark || settingsOf(before) !== settingsOf(row);
  const kind = `row${frozen ? " frozen" : ""}${now ? " now" : ""}`;
  drawing.box(`group ${group}`, kind, 2, y + 2, C.name + C.files + C.meter + 8, height - 4);
  groupHead(drawing, state, group, y, mark, frozen);
  files.forEach(([name, value], place) => {
    const was = ((before || {}).files || {})[name];
    fileLine(drawing, group, name, value, y + 20 + place * C.line, was !== value);
  });
  meters.forEach((meter, place) => meterLine(drawing, group, meter, y + 8 + place * C.line));
  if (meters.length && sparks.length)
    sparkline(drawing, trace, sparks, group, C.name + C.files, y + 14 + C.line * Math.max(1, meters.length));
  return height;
}

function settingsOf(row) {
  if (!row) return "";
  const files = Object.entries(row.files || {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([files, Boolean(row.frozen)]);
}

function groupName(state, group) {
  const last = group.slice(group.lastIndexOf("/") + 1);
  const first = group.slice(CGROUP_ROOT.length + 1).split("/")[0];
  const name = containersById(state).get(last) ?? last;
  return HIERARCHIES.has(first) ? `${first} · ${name}` : name;
}

const groupDepth = (group) => group.replace(CGROUP_ROOT, "").split("/").length - 1;
const isInGroup = (state, task, group) => Object.values(state.tasks[task].cgroups || {}).includes(group);

function groupHead(drawing, state, group, y, mark, frozen) {
  const row = state.cgroups[group];
  const below = group.startsWith(`${CGROUP_ROOT}/`) ? group.slice(CGROUP_ROOT.length + 1) : group;
  const depth = Math.min(below.split("/").length - 1, 4);
  const x = 12 + 12 * depth;
  const tasks = Object.keys(state.tasks || {})
    .filter((task) => isInGroup(state, task, group))
    .sort(byLine);
  const names = tasks.map((task) => `${state.tasks[task].name ?? "?"} ${task}`).join(", ");
  const where = below.includes("/") ? below.slice(0, below.lastIndexOf("/")) : "";
  drawing.text(`name ${group}`, "title", x, y + 21, groupName(state, group), C.name - x - 8);
  const note = names || (where ? `below ${where}` : "no task");
  drawing.text(`tasks ${group}`, "note", x, y + 38, note, C.name - x - 4);
  const kills = row.oom_kills || 0;
  const said = [frozen ? "frozen" : "", kills ? `OOM kills: ${kills}` : "", mark === "throttle" ? "throttled" : ""];
  const badges = said.filter(Boolean);
  badges.forEach((text, place) => {
    const kind = text.split(" ")[0].replace(/:+$/, "").toLowerCase();
    drawing.box(`badge ${group} ${place}`, `badge ${kind}`, x + place * 100, y + 43, 94, 17, 8);
    drawing.text(`badge of ${group} ${place}`, "note strong", x + place * 100 + 8, y + 56, text, 90);
  });
  drawing.say(depth, `${groupName(state, group)}: ${names || "no task"}${badges.map((text) => `, ${text}`).join("")}`, Boolean(mark));
}

function fileLine(drawing, group, name, value, y, changed) {
  const flag = FLAGS[name] || "";
  const said = `${name} ${settingWords(name, value)}`;
  const room = flag ? C.files - 24 - 7 * flag.length : C.files - 12;
  drawing.text(`file ${group} ${name}`, changed ? "word changed" : "word", C.name, y, said, room);
  drawing.text(`flag ${group} ${name}`, "note", C.name + C.files - 12, y, flag ? `← ${flag}` : "", 150, "end");
  drawing.say(groupDepth(group), said + (flag ? `, by ${flag}` : ""), changed);
}

export function settingWords(name, value) {
  if (name === "cpu.max") {
    const [quota, period] = value.split(" ");
    const said = DIGITS.test(quota) ? `${cpusText(Number(quota), Number(period || 100000))} CPU` : "no limit";
    return `${value} (${said})`;
  }
  return name.startsWith("memory.") && DIGITS.test(value) ? `${value} (${binary(Number(value))})` : value;
}

function cpusText(quota, period) {
  const hundredths = Math.floor((quota * 100 + Math.floor(period / 2)) / period);
  return `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, "0")}`;
}

export function binary(number) {
  for (const [power, unit] of [[3, "GiB"], [2, "MiB"], [1, "KiB"]]) { // prettier-ignore
    const size = 1024 ** power;
    if (number < size) continue;
    const tenths = Math.floor((number * 10) / size);
    const whole = Math.floor(tenths / 10);
    return tenths % 10 === 0 ? `${whole} ${unit}` : `${whole}.${tenths % 10} ${unit}`;
  }
  return `${number} B`;
}

// What is measured: a name, words, and how much of what is allowed, of a thousand (-1: no limit).
function metersOf(state, group) {
  const { usage = {}, files = {} } = state.cgroups[group];
  const found = [];
  for (const [name, counters, limits] of METERS) {
    const counter = counters.find((each) => each in usage);
    const said = limits.map((each) => String(files[each] ?? "")).find((each) => DIGITS.test(each));
    if (counter === undefined) continue;
    const used = usage[counter];
    const limit = said === undefined ? 0 : Number(said);
    const shown = (limit ? [used, limit] : [used]).map((n) => (name === "memory" ? binary(n) : String(n)));
    found.push([name, shown.join(" of "), limit ? Math.min(1000, Math.floor((used * 1000) / limit)) : -1]);
  }
  for (const [counter, divisor] of Object.entries(USED_CPU)) {
    if (counter in usage) found.push(["cpu time", timeText(Math.floor(usage[counter] / divisor)), -1]);
  }
  const share = cpuShare(state, group);
  if (share >= 0) found.push(["cpu share", `${Math.floor(share / 10)} % if all want`, share]);
  return found;
}

function timeText(microseconds) {
  for (const [size, unit] of [[1000000, "s"], [1000, "ms"]]) { // prettier-ignore
    if (microseconds < size) continue;
    const tenths = Math.floor((microseconds * 10) / size);
    const whole = Math.floor(tenths / 10);
    return tenths < 100 && tenths % 10 ? `${whole}.${tenths % 10} ${unit}` : `${whole} ${unit}`;
  }
  return `${microseconds} µs`;
}

function cpuShare(state, group) {
  const parentOf = (each) => each.slice(0, each.lastIndexOf("/"));
  const tasks = Object.keys(state.tasks || {});
  const neighbours = Object.keys(state.cgroups).filter(
    (each) => parentOf(each) === parentOf(group) && tasks.some((task) => isInGroup(state, task, each)),
  );
  for (const [name, usual] of Object.entries(WEIGHTS)) {
    const said = neighbours.map((each) => String((state.cgroups[each].files || {})[name] ?? ""));
    const weights = said.map((each) => (DIGITS.test(each) ? Number(each) : usual));
    const written = neighbours.some((each) => name in (state.cgroups[each].files || {}));
    const place = neighbours.indexOf(group);
    if (written && place >= 0 && neighbours.length > 1) {
      return Math.floor((weights[place] * 1000) / Math.max(1, weights.reduce((a, b) => a + b, 0)));
    }
  }
  return -1;
}

function meterLine(drawing, group, [name, words, full], y) {
  const [x, w] = [C.name + C.files, C.meter - 12];
  if (full >= 0) {
    drawing.box(`meter ${group} ${name}`, "meter", x, y + 2, w, 16, 4);
    drawing.box(`level ${group} ${name}`, full >= 900 ? "high" : "level", x, y + 2, Math.floor((w * full) / 1000), 16, 4);
  }
  drawing.text(`said ${group} ${name}`, "note strong", x + 6, y + 14, `${name} ${words}`, w - 8);
  drawing.say(groupDepth(group), `${name} ${words}`);
}

const seriesKnown = new WeakMap();

// What a group's memory counter said over the steps: pairs of step and value, if there are two; counted once a trace.
function memorySeries(trace, group) {
  if (!seriesKnown.has(trace)) seriesKnown.set(trace, new Map());
  const known = seriesKnown.get(trace);
  if (!known.has(group)) {
    const found = METERS[0][1].map((name) => counterSeries(trace, ["cgroups", group, "usage", name]));
    const first = found.find((series) => series.length) || [];
    known.set(group, first.length > 1 ? first : []);
  }
  return known.get(group);
}

function counterSeries(trace, wanted) {
  const found = [];
  for (const step of trace.steps) {
    for (const [path, , now] of step.changes) {
      if (path.length > wanted.length || path.some((key, n) => key !== wanted[n])) continue;
      let value = now;
      for (const key of wanted.slice(path.length)) value = value && typeof value === "object" ? value[key] : undefined;
      if (Number.isInteger(value)) found.push([step.index, value]);
    }
  }
  return found;
}

function sparkline(drawing, trace, found, group, x, y) {
  const width = C.meter - 12;
  const most = Math.max(1, ...found.map(([, value]) => value));
  const steps = Math.max(1, trace.steps.length - 1);
  drawing.box(`sparks ${group}`, "meter", x, y, width, C.spark, 4);
  const points = [];
  for (const [index, value] of found) {
    const at = x + Math.floor((width * index) / steps);
    const level = y + C.spark - 2 - Math.floor(((C.spark - 4) * value) / most);
    if (points.length) points.push([at, points.at(-1)[1]]);
    points.push([at, level]);
  }
  drawing.line(`spark ${group}`, "spark", [...points, [x + width, points.at(-1)[1]]]);
  drawing.text(`spark of ${group}`, "note", x + 6, y + 15, "memory over the steps", width);
}
