// Layout: where each thing of the picture stands at one step. The twin of layout.py, whose docstring tells the value.
import { cellWords, counted, cutEnd, cutStart, sizeText } from "./words.js";
import { provider } from "./provider.js";

export const GEOMETRY = {
  label: 164,
  cell: 102,
  gap: 6,
  head: 62,
  row: 54,
  compact_row: 36,
  row_gap: 6,
  pad: 6,
  tall: 10,
  letters: 13,
  name_letters: 12,
  title_letters: 20,
  note_letters: 22,
};

export function shownUntil(trace, index, zoom) {
  if (index < 0) return -1;
  let last = index;
  while (last + 1 < trace.steps.length && trace.steps[last + 1].depth > zoom) last += 1;
  return last;
}

// The names of the writable layer that the steps from one to another changed.
export function changedNames(trace, stack, first, last) {
  const names = new Set();
  for (let number = Math.max(first, 0); number <= last; number += 1) {
    for (const [path] of trace.steps[number].changes) {
      if (path.length > 2 && path[0] === "uppers" && path[1] === stack) names.add(path[2]);
    }
  }
  return names;
}

export function stackStatus(scene, state) {
  if (!(scene.stack in (state.stacks || {}))) return "absent";
  const mounts = Object.values(state.mounts || {}).flatMap((table) => Object.entries(table));
  if (!mounts.length) return scene.stack in (state.uppers || {}) && !scene.merged ? "mounted" : "unmounted";
  const mounted = mounts.some(([where, mount]) => where === scene.merged || mount.fstype === "overlay");
  return mounted ? "mounted" : "unmounted";
}

export function placeRows(scene, status, hasUpper) {
  const compact = scene.rows.length > GEOMETRY.tall;
  let y = 0;
  const rows = scene.rows.map((row) => {
    const height = row.kind === "merged" ? GEOMETRY.head : compact ? GEOMETRY.compact_row : GEOMETRY.row;
    const placed = { kind: row.kind, ...rowWords(row, status, hasUpper), y, height };
    y += height + GEOMETRY.row_gap;
    return placed;
  });
  return { rows, height: y, compact };
}

function rowWords(row, status, hasUpper) {
  let note = row.note;
  if (row.kind === "merged" && status !== "mounted") note = "not mounted";
  if (row.kind === "upper" && !hasUpper) note = "not there";
  return { title: cutEnd(row.title, GEOMETRY.title_letters), note: cutEnd(note, GEOMETRY.note_letters) };
}

export function placeColumn(number) {
  return number * (GEOMETRY.cell + GEOMETRY.gap) + Math.floor(GEOMETRY.gap / 2);
}

// The merged view of one column, and its cells.
// `changed` are the names to be marked as changed now, `copied` those known to be copies.
export function fillColumn(scene, stack, number, status, changed, copied) {
  const column = scene.columns[number];
  if (column.members.length) return fillGroup(scene, stack, column);
  return fillSingle(scene, stack, column, status, changed, copied);
}

function fillSingle(scene, stack, column, status, changed, copied) {
  const who = provider(column.path, stack);
  const names = new Map(who.found);
  const cells = [];
  const rows = [];
  stack.forEach((layer, number) => {
    const entry = layer[names.get(number) || column.path];
    if (!entry) return;
    const row = rowOf(scene, number);
    if (names.has(number)) rows.push(row);
    const [shape, word, note] = cellWords(entry, number === 0, number === 0 && copied.has(column.path));
    const ends = entry.kind === "whiteout" && number === who.endedBy;
    const hidden = !names.has(number) && !ends;
    const now = number === 0 && changed.has(column.path);
    cells.push({ row, shape, word, note: cutEnd(note, GEOMETRY.letters), hidden, now });
  });
  const kind = who.found.length ? (stack[who.found[0][0]][who.found[0][1]] || { kind: "dir" }).kind : "";
  const seen = who.found.length ? "served" : cells.some((cell) => cell.row > 1) ? "hidden" : "absent";
  const mounted = status === "mounted";
  const head = { status: mounted ? seen : "unmounted", rows: mounted ? rows : [], word: kind || "nothing" };
  return { head: { ...nameLabel(column.path, kind), ...head }, cells };
}

function rowOf(scene, number) {
  if (!scene.rowOf) {
    scene.rowOf = [];
    scene.rows.forEach((row, place) => row.layers.forEach((layer) => (scene.rowOf[layer] = place)));
  }
  return scene.rowOf[number];
}

function fillGroup(scene, stack, column) {
  const cells = [];
  scene.rows.forEach((row, place) => {
    let count = 0;
    let size = 0;
    for (const number of row.layers) {
      for (const name of column.members) {
        const entry = stack[number][name];
        if (!entry) continue;
        count += 1;
        if (entry.kind === "file") size += entry.size || 0;
      }
    }
    if (!count) return;
    cells.push({
      row: place,
      shape: "group",
      word: counted(count, "name"),
      note: sizeText(size),
      hidden: false,
      now: false,
    });
  });
  const label = column.path === "/" ? { folder: "/", label: "others" } : nameLabel(column.path, "group");
  return { head: { ...label, status: "group", rows: [], word: counted(column.members.length, "name") }, cells };
}

function nameLabel(path, kind) {
  const slash = path.lastIndexOf("/");
  const end = { dir: "/", group: "/…" }[kind] || "";
  const label = cutEnd(path.slice(slash + 1), GEOMETRY.name_letters - end.length) + end;
  return { folder: cutStart(path.slice(0, slash) + "/", GEOMETRY.letters), label };
}

// The whole picture, as layout.py's place() gives it; `hidden` is the stack's HiddenBytes.
export function place(scene, state, changed, copied, hidden) {
  const status = stackStatus(scene, state);
  const upper = (state.uppers || {})[scene.stack] || {};
  const stack = [upper, ...scene.lowers];
  const { rows, height, compact } = placeRows(scene, status, scene.stack in (state.uppers || {}));
  const columns = scene.columns.map((column, number) => ({
    path: column.path,
    x: placeColumn(number),
    width: GEOMETRY.cell,
    group: column.members.length,
  }));
  const filled = columns.map((_, number) => fillColumn(scene, stack, number, status, changed, copied));
  return {
    stack: scene.stack,
    state: status,
    width: GEOMETRY.label + columns.length * (GEOMETRY.cell + GEOMETRY.gap) + GEOMETRY.gap,
    height,
    compact,
    rows,
    columns,
    heads: filled.map(({ head }, column) => ({ column, ...head })),
    cells: filled.flatMap(({ cells }, column) => cells.map((cell) => ({ column, ...cell }))),
    bytes: tellBytes(scene, upper, hidden),
  };
}

export function tellBytes(scene, upper, hidden) {
  let writable = 0;
  for (const path in upper) if (upper[path].kind === "file") writable += upper[path].size || 0;
  return { writable, image: scene.imageBytes, hidden: hidden.of(upper) };
}
