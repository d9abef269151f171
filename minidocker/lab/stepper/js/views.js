// Views: what there is beside the layers, by name, and which of them have something to show in a trace.
import { cgroups } from "./cgroups.js";
import { ever } from "./drawing.js";
import { mounts } from "./mounts.js";
import { namespaces } from "./namespaces.js";
import { network } from "./network.js";
import { states } from "./states.js";
import { containers, output, tasks } from "./tables.js";

const has = (table) => (trace) => ever(trace, table).length > 0;

// `draw` gives a drawing, `fill` a node; `has` tells whether there is anything to see.
export const VIEWS = {
  layers: { label: "Layers", has: (trace) => ever(trace, "stacks").length > 0 || ever(trace, "uppers").length > 0 },
  namespaces: { label: "Namespaces", draw: namespaces, has: (trace) => ever(trace, "namespaces").length > 0 },
  mounts: { label: "Mounts", fill: mounts, has: has("mounts") },
  cgroups: { label: "Control groups", draw: cgroups, has: has("cgroups") },
  network: { label: "Network", draw: network, has: has("links") },
  states: { label: "States", draw: states, has: has("containers") },
  tasks: { label: "Tasks", fill: tasks, has: has("tasks") },
  containers: { label: "Containers", fill: containers, has: has("containers") },
  output: { label: "Output", fill: output, has: () => true },
};

export const DRAWN = Object.fromEntries(Object.entries(VIEWS).filter(([, view]) => view.draw));

// The views of a trace, by name; the layers are there if nothing else is.
export function viewsOf(trace) {
  const found = Object.keys(VIEWS).filter((name) => VIEWS[name].has(trace));
  return found.length > 1 || found[0] !== "output" ? found : ["layers", ...found];
}
