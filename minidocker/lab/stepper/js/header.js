// Header: the command, which kernel ran it, and whether the other one does the same; and the gate before an answer.
import { focusable, icon, node } from "./dom.js";

export const MARKS = {
  ok: "M2.5 8.5l3.5 3.5 7.5-8",
  bad: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  lock: "M4 7.5h8v6.5H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5",
};

// `onGo` is called with the index of the step at which the kernels differ.
export function header({ command, kernel }, comparison, onGo) {
  const badges = [node("span", { class: "mds-badge" }, kernelText(kernel))];
  if (kernel.recorded) badges.push(node("span", { class: "mds-badge" }, "recorded"));
  if (comparison) badges.push(comparisonBadge(comparison, onGo));
  return node("header", {}, node("code", { title: command }, node("span", {}, "$ "), command), ...badges);
}

function comparisonBadge({ equal, step, says }, onGo) {
  if (equal) return node("span", { class: "mds-badge ok", title: says || "" }, "model = kernel", icon(MARKS.ok, 12));
  if (step === null || step === undefined)
    return node("span", { class: "mds-badge bad", title: says || "" }, "differs", icon(MARKS.bad, 12));
  return focusable(
    "button",
    { type: "button", class: "mds-badge bad", title: says || "", onclick: () => onGo(step) },
    `differs at step ${step + 1}`,
    icon(MARKS.bad, 12),
  );
}

export function gate() {
  return node(
    "div",
    { class: "mds-gate" },
    icon(MARKS.lock, 28),
    node("p", {}, node("b", {}, "Predict first."), " The steps appear here once you have answered."),
  );
}

function kernelText(kernel) {
  const name = kernel.kind === "real" ? "real kernel" : "simulated kernel";
  return [name, kernel.kind === "real" ? kernel.release : "", kernel.rootless ? "rootless" : ""]
    .filter(Boolean)
    .join(" · ");
}
