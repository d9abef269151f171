// Mounts: a tree for each mount namespace, with what is propagated where.
import { node } from "./dom.js";
import { byLine, containerOf, sortedSpaces } from "./drawing.js";

export function mounts(state, old) {
  const tables = state.mounts || {};
  const spaces = sortedSpaces(Object.keys(tables).filter((space) => Object.keys(tables[space]).length));
  if (!spaces.length) return node("p", { class: "mds-none" }, "No mounts of the lab’s.");
  return node("div", {}, ...spaces.map((space) => mountTree(state, old, space)));
}

function mountTree(state, old, space) {
  const tasks = state.tasks || {};
  const here = Object.keys(tasks).filter((task) => (tasks[task].namespaces || {}).mnt === space);
  const names = here.sort(byLine).map((task) => `${containerOf(state, task) || tasks[task].name} ${task}`);
  const caption = node("caption", {}, node("b", {}, space), ` · ${names.join(", ") || "no task"}`);
  const heads = ["Mounted at", "Type", "Source", "Propagation", "Options"];
  const head = node("tr", {}, ...heads.map((text) => node("th", { scope: "col" }, text)));
  const targets = Object.keys(state.mounts[space]).sort();
  const rows = targets.map((target) => mountRow(state, old, space, target, targets, heads));
  return node("table", { class: "mds-table" }, caption, node("thead", {}, head), node("tbody", {}, ...rows));
}

// How many of the other mounts a mount lies in.
function mountDepth(target, targets) {
  return targets.filter((other) => other !== target && `${target}/`.startsWith(other.endsWith("/") ? other : `${other}/`))
    .length; // prettier-ignore
}

function mountRow(state, old, space, target, targets, heads) {
  const mount = state.mounts[space][target];
  const isNew = ((old.mounts || {})[space] || {})[target] !== mount;
  const depth = mountDepth(target, targets);
  const options = [mount.ro ? "read-only" : "", mount.root ? `shows ${mount.root}` : "", mount.options].filter(Boolean);
  const cells = [
    "\u2003".repeat(depth) + (depth ? "└ " : "") + target,
    mount.fstype,
    mount.source,
    propagationWords(mount.propagation),
    options.join("  "),
  ];
  const made = cells.map((text, place) => node("td", { "data-head": heads[place], title: text }, shortIds(text) || "–"));
  return node("tr", { class: isNew ? "changed" : "" }, ...made);
}

// Ids of 64 digits by their first twelve, as docker shows them.
function shortIds(text) {
  return (text || "").replace(/\b([0-9a-f]{12})[0-9a-f]{52}\b/g, "$1…");
}

// What mountinfo says, in words as well.
function propagationWords(said) {
  if (!said) return "private";
  const words = said.split(" ").map((word) => {
    const [kind, group] = word.split(":");
    if (kind === "shared") return `shared with peer group ${group}`;
    return kind === "master" ? `receives from group ${group}` : word;
  });
  return words.join(", ");
}
