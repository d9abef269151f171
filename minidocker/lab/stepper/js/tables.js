// Tables: mounts, tasks, containers and output of a state, as plain tables. What just changed is marked.
import { node } from "./dom.js";

export const VIEWS = {
  mounts: { label: "Mounts", draw: mounts },
  tasks: { label: "Tasks", draw: tasks },
  containers: { label: "Containers", draw: containers },
  output: { label: "Output", draw: output },
};

function mounts(state, old) {
  const rows = [];
  for (const [space, table] of Object.entries(state.mounts || {})) {
    for (const [target, mount] of Object.entries(table)) {
      const isNew = ((old.mounts || {})[space] || {})[target] === undefined;
      rows.push([isNew, space, target, mount.fstype, mount.source, mount.options]);
    }
  }
  return table(["Namespace", "Mounted at", "Type", "Source", "Options"], rows, "No mounts of the lab’s.");
}

function tasks(state, old) {
  const names = Object.keys(state.tasks || {}).sort(byLine);
  const rows = names.map((line) => {
    const task = state.tasks[line];
    const spaces = Object.values(task.namespaces || {}).join("  ");
    const status = task.status === "zombie" ? `zombie, exit code ${task.exit_code}` : task.status;
    const depth = line.split(".").length - 1;
    const name = "\u2003".repeat(depth) + (depth ? "└ " : "") + task.name;
    return [(old.tasks || {})[line] !== task, name, line, status, spaces];
  });
  return table(["Program", "Line of descent", "Status", "Namespaces"], rows, "No tasks.");
}

function byLine(one, other) {
  const [a, b] = [one.split(".").map(Number), other.split(".").map(Number)];
  for (let n = 0; n < Math.min(a.length, b.length); n += 1) if (a[n] !== b[n]) return a[n] - b[n];
  return a.length - b.length;
}

function containers(state, old) {
  const rows = Object.entries(state.containers || {}).map(([name, it]) => {
    const status = it.status === "exited" ? `exited (${it.exit_code})` : it.status;
    const changed = (old.containers || {})[name] !== it;
    return [changed, name, (it.id || "").slice(0, 12), it.image, (it.command || []).join(" "), status];
  });
  return table(["Name", "Id", "Image", "Command", "Status"], rows, "No containers.");
}

function output(state, old, trace) {
  const parts = [
    ["stdout", trace.stdout],
    ["stderr", trace.stderr],
  ].filter(([, text]) => text);
  const shown = parts.flatMap(([name, text]) => [node("h4", {}, name), node("pre", { class: name }, text)]);
  if (!parts.length) shown.push(node("p", { class: "mds-none" }, "The command printed nothing."));
  return node("div", { class: "mds-output" }, ...shown, node("p", {}, `exit code ${trace.exit_code ?? 0}`));
}

function table(heads, rows, none) {
  if (!rows.length) return node("p", { class: "mds-none" }, none);
  const head = node("tr", {}, ...heads.map((text) => node("th", { scope: "col" }, text)));
  const body = rows.map(([changed, ...cells]) => {
    const made = cells.map((text, place) => node("td", { "data-head": heads[place] }, text || "–"));
    return node("tr", { class: changed ? "changed" : "" }, ...made);
  });
  return node("table", { class: "mds-table" }, node("thead", {}, head), node("tbody", {}, ...body));
}
