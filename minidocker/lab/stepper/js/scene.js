// Scene: the rows (layers) and columns (names) of the picture, which stand still while the steps go by. Twin of scene.py.
import { counted, madeBy, sizeText } from "./words.js";
import { provider } from "./provider.js";

export const LIMITS = { small: 12, stories: 24, matches: 60, tall: 8 };
const NAMED = /"(\/[^"]*)"/g;

export function stackAt(trace, index) {
  let shown = Object.keys(trace.initial.stacks || {}).at(-1) ?? null;
  for (const step of trace.steps) {
    const touched = step.changes
      .filter(([path]) => path.length > 1 && (path[0] === "stacks" || path[0] === "uppers"))
      .map(([path]) => path[1]);
    if (touched.length && (step.index <= index || shown === null)) shown = touched.at(-1);
    if (step.index > index && shown !== null) break;
  }
  return shown;
}

export function makeScene(trace, stack, { query = "", opened = [], fold = true } = {}) {
  const found = stack === null ? null : stackOf(trace, stack);
  if (!found) return null;
  const layers = found.lowers.map((id) => trace.layers[id] || {});
  const lowers = layers.map((layer) => layer.entries || {});
  const columns = sceneColumns(lowers, touchedNames(trace, stack, lowers), query, new Set(opened));
  return {
    stack,
    merged: found.merged || "",
    lowers,
    columns,
    rows: sceneRows(layers, columns, fold),
    arrivals: arrivalsOf(trace, stack),
    imageBytes: layers.reduce((sum, layer) => sum + (layer.bytes || 0), 0),
  };
}

function stackOf(trace, stack) {
  const values = [(trace.initial.stacks || {})[stack]];
  for (const step of trace.steps) {
    for (const [path, , now] of step.changes)
      if (path[0] === "stacks") values.push(below(path, now, ["stacks", stack]));
  }
  return values.find((value) => value && value.lowers) || null;
}

// What a change to `path` puts at `wanted`, which is the same place or lies deeper.
function below(path, value, wanted) {
  if (path.length > wanted.length || path.some((name, n) => name !== wanted[n])) return null;
  for (const name of wanted.slice(path.length)) value = (value || {})[name] ?? null;
  return value;
}

export function upperNames(trace, stack) {
  const names = new Set(Object.keys((trace.initial.uppers || {})[stack] || {}));
  const add = (value) => Object.keys(value || {}).forEach((name) => names.add(name));
  for (const step of trace.steps) {
    for (const [path, old, now] of step.changes) {
      if (path[0] !== "uppers") continue;
      if (path.length > 2 && path[1] === stack) {
        names.add(path[2]);
      } else {
        add(below(path, old, ["uppers", stack]));
        add(below(path, now, ["uppers", stack]));
      }
    }
  }
  names.delete("/");
  return names;
}

// When a name came into the writable layer, or into another kind there, and whether as a copy: [index, name, copied].
function arrivalsOf(trace, stack) {
  const arrivals = [];
  for (const step of trace.steps) {
    for (const [path, old, now] of step.changes) {
      if (path.length !== 3 || path[0] !== "uppers" || path[1] !== stack) continue;
      if (old && now && old.kind === now.kind) continue;
      arrivals.push([step.index, path[2], step.call === "copy_up"]);
    }
  }
  return arrivals;
}

// The names of the writable layer that the steps up to one have copied up.
export function copiedUntil(scene, index) {
  const copied = new Set();
  for (const [number, name, isCopy] of scene.arrivals) {
    if (number > index) break;
    if (isCopy) copied.add(name);
    else copied.delete(name);
  }
  return copied;
}

// The names that the writable layer has at some step or that a call names, and apart the programs executed.
function touchedNames(trace, stack, lowers) {
  const own = upperNames(trace, stack);
  const [touched, programs] = [new Set(own), new Set()];
  for (const step of trace.steps) {
    if (step.depth < 2) continue;
    for (const [, spoken] of step.text.matchAll(NAMED)) {
      const name = spoken.replace(/\/+$/, "");
      if (!name || !lowers.some((layer) => name in layer)) continue;
      if (step.call === "execve") programs.add(name);
      else touched.add(name);
    }
  }
  for (const name of programs) {
    if (own.has(name)) programs.delete(name);
    else touched.delete(name);
  }
  return { touched, programs };
}

function sceneColumns(lowers, { touched, programs }, query, opened) {
  const names = new Set([...lowers.flatMap((layer) => Object.keys(layer)), ...touched]);
  names.delete("/");
  const single = (path) => ({ path, members: [] });
  if (query) {
    const matches = treeOrder(names).filter((name) => name.toLowerCase().includes(query.toLowerCase()));
    return matches.slice(0, LIMITS.matches).map(single);
  }
  if (names.size <= LIMITS.small) return treeOrder(names).map(single);
  const stories = [...names].filter((name) => touched.has(name) || hasStory(name, lowers));
  const shown = new Set([...(stories.length <= LIMITS.stories ? stories : touched), ...programs]);
  const parents = new Set([...names].map((name) => name.slice(0, name.lastIndexOf("/"))));
  const groups = new Map();
  for (const name of treeOrder([...names].filter((each) => !shown.has(each) && !parents.has(each)))) {
    const group = groupOf(name, opened);
    if (group === null) shown.add(name);
    else if (groups.has(group)) groups.get(group).push(name);
    else groups.set(group, [name]);
  }
  const first = treeOrder([...shown].filter((name) => touched.has(name)));
  const rest = treeOrder([...shown].filter((name) => !touched.has(name) && !programs.has(name)));
  const collapsed = treeOrder(groups.keys()).map((path) => ({ path, members: groups.get(path) }));
  return [...first.map(single), ...rest.map(single), ...treeOrder(programs).map(single), ...collapsed];
}

function hasStory(name, lowers) {
  const entries = lowers.map((layer) => layer[name]).filter(Boolean);
  if (entries.some((entry) => entry.kind === "whiteout" || entry.opaque || entry.redirect)) return true;
  if (!entries.some((entry) => entry.kind !== "dir")) return false;
  return entries.length > 1 || !provider(name, lowers).found.length;
}

function groupOf(name, opened) {
  const parts = name.split("/").slice(1);
  for (let depth = 1; depth < parts.length; depth += 1) {
    const directory = "/" + parts.slice(0, depth).join("/");
    if (!opened.has(directory)) return directory;
  }
  return parts.length === 1 && !opened.has("/") ? "/" : null;
}

const treeKey = (name) => name.replaceAll("/", "\u0000");
const byKey = (one, other) => (one[0] < other[0] ? -1 : one[0] > other[0] ? 1 : 0);

export function treeOrder(names) {
  return [...names]
    .map((name) => [treeKey(name), name])
    .sort(byKey)
    .map(([, name]) => name);
}

function sceneRows(layers, columns, fold) {
  const rows = [
    { kind: "merged", title: "merged view", note: "what a process sees", layers: [] },
    { kind: "upper", title: "writable layer", note: "this container’s own", layers: [0] },
  ];
  for (const run of layerRuns(layers, columns, fold && layers.length > LIMITS.tall)) {
    const first = layers[run[0] - 1];
    const bytes = run.reduce((sum, number) => sum + (layers[number - 1].bytes || 0), 0);
    const note =
      run.length > 1 ? `${sizeText(bytes)} · other names` : `${sizeText(bytes)} · ${madeBy(first.created_by || "")}`;
    const title = run.length > 1 ? counted(run.length, "layer") : first.name || "?";
    rows.push({ kind: "lower", title, note: note.replace(/[ ·]+$/, ""), layers: run });
  }
  return rows;
}

function layerRuns(layers, columns, fold) {
  const singles = columns.filter((column) => !column.members.length).map((column) => column.path);
  const runs = [];
  let openRun = false;
  layers.forEach((layer, place) => {
    const quiet = fold && !singles.some((path) => path in (layer.entries || {}));
    if (quiet && openRun) runs.at(-1).push(place + 1);
    else runs.push([place + 1]);
    openRun = quiet;
  });
  return runs;
}
