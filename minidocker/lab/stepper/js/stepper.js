// Stepper: a trace, stepped forwards and backwards. One ES module for two hosts: anywidget in Jupyter, and a page of its
// own with a model of four methods (get, set, save_changes, on). While `locked`, the model has no trace to show.
import { Calls, fullText, putCall } from "./calls.js";
import { attr, focusable, icon, node, put } from "./dom.js";
import { changedNames, shownUntil, tellBytes } from "./layout.js";
import { Names } from "./names.js";
import { Picture } from "./picture.js";
import { HiddenBytes } from "./provider.js";
import { Replay } from "./replay.js";
import { copiedUntil, makeScene, stackAt } from "./scene.js";
import { VIEWS } from "./tables.js";
import { sizeText } from "./words.js";

const NARROW = 560; // pixels: below, the picture becomes a list of names
const PLAY_MS = 1100;
const ZOOMS = ["docker", "engine", "system calls", "kernel"];
const BUTTONS = {
  first: ["First step", "M4 3v10M13 3L6.5 8l6.5 5z"],
  back: ["Previous step", "M11.5 3L5 8l6.5 5z"],
  play: ["Play", "M5 2.5L13 8l-8 5.5z"],
  next: ["Next step", "M4.5 3L11 8l-6.5 5z"],
  last: ["Last step", "M12 3v10M3 3l6.5 5L3 13z"],
};
const PAUSE = "M5 3v10M11 3v10";
const MARKS = {
  ok: "M2.5 8.5l3.5 3.5 7.5-8",
  bad: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  lock: "M4 7.5h8v6.5H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5",
};

class Stepper {
  constructor(model, host) {
    this.model = model;
    this.root = focusable("div", { class: "mds", tabindex: "0", role: "group", "aria-label": "Stepper" });
    host.replaceChildren(this.root);
    this.view = "layers";
    this.query = "";
    this.opened = [];
    this.fold = true;
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.watch = new ResizeObserver(() => this.resized());
    this.watch.observe(this.root);
    for (const name of ["trace", "locked", "comparison"]) model.on(`change:${name}`, () => this.build());
    model.on(
      "change:index",
      () => this.trace && this.model.get("index") !== this.index && this.go(this.placeOf(this.model.get("index"))),
    );
    model.on("change:zoom", () => this.trace && this.zoomed(Number(this.model.get("zoom"))));
    this.build();
  }

  // Draw everything anew: at the start, and when the gate opens.
  build() {
    this.pause();
    const trace = this.model.get("trace");
    this.trace = this.model.get("locked") || !trace || !trace.steps ? null : trace;
    if (!this.trace) {
      this.root.replaceChildren(gate());
      return;
    }
    attr(this.root, "aria-label", `Stepper: ${this.trace.command}`);
    this.replay = new Replay(this.trace);
    this.hidden = new Map();
    this.scenes = new Map();
    this.stacks = new Map();
    this.calls = new Calls({ onPick: (place) => this.go(place) });
    this.picture = new Picture({ onOpen: (path) => this.open(path) });
    this.names = new Names({ onOpen: (path) => this.open(path) });
    this.root.replaceChildren(this.header(), this.main(), this.controls());
    this.zoomed(Number(this.model.get("zoom") ?? 3), this.model.get("index") ?? -1);
    this.resized();
    this.turnTo(this.view);
  }

  header() {
    const { command, kernel } = this.trace;
    const badges = [node("span", { class: "mds-badge" }, kernelText(kernel))];
    if (kernel.recorded) badges.push(node("span", { class: "mds-badge" }, "recorded"));
    const comparison = this.model.get("comparison");
    if (comparison) badges.push(this.comparisonBadge(comparison));
    return node("header", {}, node("code", { title: command }, node("span", {}, "$ "), command), ...badges);
  }

  comparisonBadge({ equal, step, says }) {
    if (equal) return node("span", { class: "mds-badge ok", title: says || "" }, "model = kernel", icon(MARKS.ok, 12));
    if (step === null || step === undefined)
      return node("span", { class: "mds-badge bad", title: says || "" }, "differs", icon(MARKS.bad, 12));
    const act = () => this.go(this.placeOf(step));
    return focusable(
      "button",
      { type: "button", class: "mds-badge bad", title: says || "", onclick: act },
      `differs at step ${step + 1}`,
      icon(MARKS.bad, 12),
    );
  }

  main() {
    this.tabs = node(
      "nav",
      { "aria-label": "Views" },
      this.tab("layers", "Layers"),
      ...Object.entries(VIEWS).map(([name, { label }]) => this.tab(name, label)),
    );
    this.search = focusable("input", {
      type: "search",
      class: "mds-search",
      placeholder: "search names",
      "aria-label": "Search names",
      oninput: () => this.find(this.search.value),
    });
    this.chips = node("div", { class: "mds-opened" });
    this.bytes = node("p", { class: "mds-bytes" });
    this.none = node("p", { class: "mds-none" }, "No layers are mounted in this trace.");
    this.table = focusable("div", { class: "mds-tables", tabindex: "0", role: "region" });
    this.layers = node(
      "div",
      { class: "mds-layers" },
      this.chips,
      this.none,
      this.picture.element,
      this.names.element,
      this.bytes,
    );
    this.text = node("code", { class: "mds-call-text" });
    this.sentence = node("p", { class: "mds-sentence" });
    this.refs = node("p", { class: "mds-refs" });
    this.why = node("div", { class: "mds-why", "aria-live": "polite" }, this.text, this.sentence, this.refs);
    const bar = node("div", { class: "mds-bar" }, this.tabs, this.search);
    return node(
      "div",
      { class: "mds-main" },
      this.calls.element,
      node("section", {}, bar, this.layers, this.table, this.why),
    );
  }

  tab(name, label) {
    return focusable("button", { type: "button", "data-view": name, onclick: () => this.turnTo(name) }, label);
  }

  controls() {
    const act = {
      first: () => this.go(0),
      back: () => this.go(this.place - 1),
      play: () => this.toggle(),
      next: () => this.go(this.place + 1),
      last: () => this.go(this.steps.length),
    };
    const buttons = Object.entries(BUTTONS).map(([name, [label, path]]) => {
      const button = focusable(
        "button",
        { type: "button", "aria-label": label, title: label, class: `mds-${name}`, onclick: act[name] },
        icon(path),
      );
      this[`${name}Button`] = button;
      return button;
    });
    this.slider = focusable("input", {
      type: "range",
      min: "0",
      "aria-label": "Step",
      oninput: () => this.go(Number(this.slider.value)),
    });
    this.jump = focusable("input", {
      type: "number",
      min: "0",
      class: "mds-jump",
      "aria-label": "Jump to step",
      onchange: () => this.go(Number(this.jump.value)),
    });
    this.total = node("span", { class: "mds-total" });
    const options = ZOOMS.map((label, depth) => node("option", { value: depth }, label));
    this.zoom = focusable(
      "select",
      { "aria-label": "Zoom: how deep to look", onchange: () => this.zoomed(Number(this.zoom.value)) },
      ...options,
    );
    const step = node("label", { class: "mds-at" }, "step ", this.jump, this.total);
    const zoom = node("label", { class: "mds-zoom" }, "zoom ", this.zoom);
    return node("footer", {}, node("div", { class: "mds-buttons" }, ...buttons), this.slider, step, zoom);
  }

  zoomed(zoom, index = this.index) {
    this.depth = Math.min(3, Math.max(0, zoom));
    this.steps = this.trace.steps.filter((step) => step.depth <= this.depth);
    this.zoom.value = String(this.depth);
    attr(this.slider, "max", this.steps.length);
    attr(this.jump, "max", this.steps.length);
    put(this.total, ` / ${this.steps.length}`);
    this.place = undefined;
    this.go(this.placeOf(index));
    if (this.model.get("zoom") !== this.depth) this.tell("zoom", this.depth);
  }

  // The place in the list, counted from 1, of a step or of the last one shown before it; 0 is before the first.
  placeOf(index) {
    let place = this.steps.findIndex((step) => step.index > index);
    if (place < 0) place = this.steps.length;
    return place;
  }

  go(wanted) {
    const place = Math.max(0, Math.min(this.steps.length, Math.round(wanted) || 0));
    if (place === this.place) return;
    const forward = this.place === undefined || place > this.place;
    this.place = place;
    const step = this.steps[place - 1];
    this.index = step ? step.index : -1;
    this.until = shownUntil(this.trace, this.index, this.depth);
    if (place === this.steps.length) this.pause();
    this.calls.show(this.steps, place);
    this.caption(step);
    this.draw(forward);
    if (this.model.get("index") !== this.index) this.tell("index", this.index);
  }

  tell(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  caption(step) {
    const { place, steps } = this;
    this.slider.value = String(place);
    this.jump.value = String(place);
    attr(
      this.slider,
      "aria-valuetext",
      step ? `Step ${place} of ${steps.length}: ${fullText(step)}` : `Before step 1 of ${steps.length}`,
    );
    this.slider.style.setProperty("--done", `${(100 * place) / Math.max(1, steps.length)}%`);
    for (const [button, off] of [
      [this.firstButton, place === 0],
      [this.backButton, place === 0],
      [this.nextButton, place === steps.length],
      [this.lastButton, place === steps.length],
    ]) {
      if (button.ariaDisabled !== String(off)) button.ariaDisabled = String(off);
    }
    putCall(this.text, step);
    this.text.classList.toggle("error", Boolean(step && step.errno));
    put(this.sentence, step ? step.why || " " : "Press → to take the first step, ← to take it back.");
    this.refs.replaceChildren(...(step ? references(step) : []));
  }

  draw(forward = true) {
    const state = this.replay.go(this.until);
    const { view } = this;
    if (view !== "layers") {
      this.drawTable(state);
      return;
    }
    const scene = this.scene();
    this.none.hidden = Boolean(scene);
    this.bytes.hidden = !scene;
    this.picture.element.hidden = !scene || this.narrow;
    this.names.element.hidden = !scene || !this.narrow;
    if (!scene) return;
    const changed = changedNames(this.trace, scene.stack, this.index, this.until);
    const copied = copiedUntil(scene, this.until);
    if (this.narrow) this.names.show(scene, state, changed, copied);
    else this.picture.show(scene, state, changed, copied, forward);
    this.drawBytes(scene, (state.uppers || {})[scene.stack] || {});
  }

  scene() {
    const { until } = this;
    if (!this.stacks.has(until)) this.stacks.set(until, stackAt(this.trace, until));
    const stack = this.stacks.get(until);
    const key = JSON.stringify([stack, this.query, this.opened, this.fold]);
    if (!this.scenes.has(key)) this.scenes.set(key, makeScene(this.trace, stack, this));
    return this.scenes.get(key);
  }

  drawBytes(scene, upper) {
    if (!this.hidden.has(scene.stack)) this.hidden.set(scene.stack, new HiddenBytes(scene.lowers));
    if (this.toldUpper === upper && this.toldScene === scene) return;
    this.toldUpper = upper;
    this.toldScene = scene;
    const { writable, image, hidden } = tellBytes(scene, upper, this.hidden.get(scene.stack));
    const part = (name, size, note) => node("span", { class: name }, node("b", {}, sizeText(size)), ` ${note}`);
    this.bytes.replaceChildren(
      part("upper", writable, "in the writable layer"),
      part("image", image, "image, shared and unchanged"),
      part("kept", hidden, "hidden but kept"),
    );
  }

  drawTable(state) {
    const old = this.place > 0 ? this.replay.go(this.index - 1) : state;
    attr(this.table, "aria-label", VIEWS[this.view].label);
    this.table.replaceChildren(VIEWS[this.view].draw(state, old, this.trace));
  }

  turnTo(view) {
    if (!this.layers.hidden) this.table.style.height = `${Math.max(240, this.layers.offsetHeight)}px`; // the page stays still
    this.view = view;
    this.layers.hidden = view !== "layers";
    this.table.hidden = view === "layers";
    this.search.hidden = view !== "layers";
    for (const tab of this.tabs.children) {
      if (tab.dataset.view === view) tab.setAttribute("aria-current", "true");
      else tab.removeAttribute("aria-current");
    }
    this.draw();
  }

  find(query) {
    this.query = query.trim();
    this.draw();
  }

  // Show the names of a collapsed directory, or collapse it again.
  open(path) {
    this.opened = this.opened.includes(path) ? this.opened.filter((each) => each !== path) : [...this.opened, path];
    const chip = (each) =>
      focusable(
        "button",
        { type: "button", "aria-label": `Collapse ${each}`, onclick: () => this.open(each) },
        each,
        icon(MARKS.bad, 10),
      );
    this.chips.replaceChildren(...this.opened.map(chip));
    this.draw();
  }

  key(event) {
    if (!this.trace || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    const { target } = event;
    if (target.matches("input[type=search], input[type=number], select")) return;
    const isButton = target.matches("button, [role=button]");
    const moves = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
    if (event.key in moves) this.go(this.place + moves[event.key]);
    else if (event.key === "Home") this.go(0);
    else if (event.key === "End") this.go(this.steps.length);
    else if (event.key === " " && !isButton) this.toggle();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  toggle() {
    if (this.timer) {
      this.pause();
      return;
    }
    if (this.place === this.steps.length) this.go(0);
    this.timer = setInterval(() => this.go(this.place + 1), PLAY_MS);
    this.playing(true);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    if (this.playButton) this.playing(false);
  }

  playing(on) {
    const [label, path] = on ? ["Pause", PAUSE] : BUTTONS.play.slice(0, 2);
    attr(this.playButton, "aria-label", label);
    attr(this.playButton, "title", label);
    this.playButton.replaceChildren(icon(path));
    attr(this.why, "aria-live", on ? "off" : "polite");
  }

  resized() {
    if (!this.trace) return;
    this.narrow = this.root.clientWidth < NARROW;
    this.calls.resized();
    this.picture.width = 0;
    if (this.place !== undefined) this.draw();
  }

  close() {
    this.pause();
    this.watch.disconnect();
  }
}

function gate() {
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

const NAMES = { linux: "Linux", docker: "Docker", code: "here" };

function references(step) {
  const parts = Object.entries(step.ref || {}).filter(([, where]) => where);
  const shown = parts.map(([kind, where]) =>
    node("span", {}, node("i", {}, NAMES[kind] || kind), " ", reference(where)),
  );
  if (step.observed)
    shown.push(node("span", {}, node("i", {}, "observed"), " in the upper directory, before and after the call"));
  return shown;
}

function reference(where) {
  const page = /^([a-z_0-9]+)\((\d)\)/.exec(where);
  if (!page) return where;
  const href = `https://man7.org/linux/man-pages/man${page[2]}/${page[1]}.${page[2]}.html`;
  return focusable("a", { href, target: "_blank", rel: "noreferrer" }, where);
}

function render({ model, el }) {
  const made = new Stepper(model, el);
  return () => made.close();
}

const stepper = { render };
export default stepper;
