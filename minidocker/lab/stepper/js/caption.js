// Caption: the present step's call, one sentence why, and where to read on.
import { attr, focusable, node, put } from "./dom.js";
import { putCall } from "./calls.js";

const NAMES = { linux: "Linux", docker: "Docker", code: "here" };

export class Caption {
  constructor() {
    this.text = node("code", { class: "mds-call-text" });
    this.sentence = node("p", { class: "mds-sentence" });
    this.refs = node("p", { class: "mds-refs" });
    this.element = node("div", { class: "mds-why", "aria-live": "polite" }, this.text, this.sentence, this.refs);
  }

  show(step) {
    putCall(this.text, step);
    this.text.classList.toggle("error", Boolean(step && step.errno));
    put(this.sentence, step ? step.why || " " : "Press → to take the first step, ← to take it back.");
    this.refs.replaceChildren(...(step ? references(step) : []));
  }

  mute(on) {
    attr(this.element, "aria-live", on ? "off" : "polite");
  }
}

function references(step) {
  const parts = Object.entries(step.ref || {}).filter(([, where]) => where);
  const shown = parts.map(([kind, where]) =>
    node("span", {}, node("i", {}, NAMES[kind] || kind), " ", reference(where)),
  );
  const note = (word, text) => shown.push(node("span", {}, node("i", {}, word), ` ${text}`));
  const inLayer = ["copy_up", "whiteout", "opaque"].includes(step.call);
  if (step.observed && inLayer) note("observed", "in the upper directory, before and after the call");
  else if (step.observed) note("observed", "in what the kernel says afterwards");
  if (step.simulated) note("simulated", "only the simulated kernel can show this; it is not compared");
  return shown;
}

function reference(where) {
  const page = /^([a-z_0-9]+)\((\d)\)/.exec(where);
  if (!page) return where;
  const href = `https://man7.org/linux/man-pages/man${page[2]}/${page[1]}.${page[2]}.html`;
  return focusable("a", { href, target: "_blank", rel: "noreferrer" }, where);
}
