// Tables: tasks, containers and output of a state, as plain tables. What just changed is marked.
import { node } from "./dom.js";
import { byLine, containerOf, statusWords } from "./drawing.js";
import { counted } from "./words.js";

export function tasks(state, old) {
  const names = Object.keys(state.tasks || {}).sort(byLine);
  const rows = names.map((line) => {
    const task = state.tasks[line];
    const depth = line.split(".").length - 1;
    const name = "\u2003".repeat(depth) + (depth ? "└ " : "") + task.name;
    const was = (old.tasks || {})[line];
    const place = containerOf(state, line);
    return [was !== task, name, line, place, (task.pids || []).join(" → "), String(task.uid ?? 0), powers(task), statusWords(state, line) || task.status]; // prettier-ignore
  });
  const heads = ["Program", "Line of descent", "Container", "Numbers, inwards", "User", "Powers", "Status"];
  return table(heads, rows, "No tasks.");
}

// What a task may do: its capabilities, and what it can gain no more.
function powers(task) {
  const all = task.caps === undefined;
  const count = all ? "all capabilities" : counted(task.caps.length, "capability").replace("capabilitys", "capabilities");
  const named = all || !task.caps.length || task.caps.length > 3 ? "" : ` (${task.caps.join(", ")})`;
  return [count + named, task.no_new_privs ? "no new ones" : "", task.seccomp ? "seccomp" : ""]
    .filter(Boolean)
    .join(", ");
}

export function containers(state, old) {
  const rows = Object.entries(state.containers || {}).map(([name, it]) => {
    const status = it.status === "exited" ? `exited (${it.exit_code})` : it.status;
    const changed = (old.containers || {})[name] !== it;
    return [changed, name, (it.id || "").slice(0, 12), it.image, (it.command || []).join(" "), status];
  });
  return table(["Name", "Id", "Image", "Command", "Status"], rows, "No containers.");
}

export function output(state, old, trace) {
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
