// Stepper: the whole of it, over a model with the values `trace`, `index`, `zoom`, `view`, `locked` and `comparison`.
// In a notebook the model is anywidget's; in a page of its own it is a few lines (html.py). Nothing asks a kernel.
import { attr, focusable, icon, node } from "./dom.js";
import { HiddenBytes } from "./provider.js";
import { makeScene, stackAt, copiedUntil } from "./scene.js";
import { changedNames, shownUntil, tellBytes } from "./layout.js";
import { Replay } from "./replay.js";
import { Picture } from "./picture.js";
import { Names } from "./names.js";
import { Calls } from "./calls.js";
import { Caption } from "./caption.js";
import { Controls } from "./controls.js";
import { DrawingNode } from "./drawing.js";
import { MARKS, gate, header } from "./header.js";
import { VIEWS, viewsOf } from "./views.js";
import { sizeText } from "./words.js";

const NARROW = 560; // pixels: below, a picture becomes a list
const TALL = 616; // pixels: what is taller scrolls
const PLAY_MS = 1100;

class Stepper {
  constructor(model, host) {
    this.model = model;
    this.root = focusable("div", { class: "mds", tabindex: "0", role: "group", "aria-label": "Stepper" });
    host.replaceChildren(this.root);
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
    model.on("change:view", () => this.trace && this.model.get("view") !== this.view && this.turnTo(this.wanted()));
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
    this.drawings = new Map();
    this.calls = new Calls({ onPick: (place) => this.go(place) });
    this.picture = new Picture({ onOpen: (path) => this.open(path) });
    this.names = new Names({ onOpen: (path) => this.open(path) });
    this.caption = new Caption();
    this.controls = new Controls({
      onGo: (place) => this.go(place),
      onMove: (by) => this.go(this.place + by),
      onPlay: () => this.toggle(),
      onZoom: (depth) => this.zoomed(depth),
    });
    const top = header(this.trace, this.model.get("comparison"), (index) => this.go(this.placeOf(index)));
    this.root.replaceChildren(top, this.main(), this.controls.element);
    this.view = this.wanted();
    this.zoomed(Number(this.model.get("zoom") ?? 3), this.model.get("index") ?? -1);
    this.resized();
    this.turnTo(this.view);
  }

  // The view that is asked for, if this trace has it; else the one shown before, or the first.
  wanted() {
    const found = viewsOf(this.trace);
    return [this.model.get("view"), this.view].find((view) => found.includes(view)) || found[0];
  }

  main() {
    const tab = (name) =>
      focusable(
        "button",
        { type: "button", "data-view": name, onclick: () => this.turnTo(name, true) },
        VIEWS[name].label,
      );
    this.tabs = node("nav", { "aria-label": "Views" }, ...viewsOf(this.trace).map(tab));
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
    this.stage = node("div", { class: "mds-stage" });
    const bar = node("div", { class: "mds-bar" }, this.tabs, this.search);
    return node(
      "div",
      { class: "mds-main" },
      this.calls.element,
      node("section", {}, bar, this.layers, this.stage, this.table, this.caption.element),
    );
  }

  zoomed(zoom, index = this.index) {
    this.depth = Math.min(3, Math.max(0, zoom));
    this.steps = this.trace.steps.filter((step) => step.depth <= this.depth);
    this.controls.zoomed(this.depth, this.steps.length);
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
    this.controls.show(place, this.steps.length, step);
    this.caption.show(step);
    this.draw(forward);
    if (this.model.get("index") !== this.index) this.tell("index", this.index);
  }

  tell(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  draw(forward = true) {
    const state = this.replay.go(this.until);
    if (VIEWS[this.view].draw) this.drawDrawing(state, forward);
    else if (VIEWS[this.view].fill) this.drawTable(state);
    else this.drawLayers(state, forward);
  }

  drawLayers(state, forward) {
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

  // The state before the present step, to show what it has changed.
  before(state) {
    return this.place > 0 ? this.replay.go(this.index - 1) : state;
  }

  drawTable(state) {
    attr(this.table, "aria-label", VIEWS[this.view].label);
    this.table.replaceChildren(VIEWS[this.view].fill(state, this.before(state), this.trace));
  }

  drawDrawing(state, forward) {
    const { label, draw } = VIEWS[this.view];
    const steps = this.place > 0 ? this.trace.steps.slice(this.index, this.until + 1) : [];
    const drawing = draw(this.trace, state, this.before(state), steps);
    let shown = this.drawings.get(this.view);
    if (!shown) {
      shown = new DrawingNode(label);
      this.drawings.set(this.view, shown);
    }
    if (this.stage.firstChild !== shown.element) this.stage.replaceChildren(shown.element);
    shown.show(drawing, this.narrow);
    shown.tallest = Math.max(shown.tallest || 0, Math.min(TALL, drawing.height + 4)); // so that the page stays still
    shown.element.style.minHeight = this.narrow ? "" : `${shown.tallest}px`;
    if (forward) shown.travel(drawing);
  }

  turnTo(view, tell = false) {
    if (!this.layers.hidden) this.table.style.height = `${Math.max(240, this.layers.offsetHeight)}px`; // the page stays still
    this.view = view;
    const isTable = Boolean(VIEWS[view].fill);
    const isDrawing = Boolean(VIEWS[view].draw);
    this.layers.hidden = isTable || isDrawing;
    this.search.hidden = isTable || isDrawing;
    this.table.hidden = !isTable;
    this.stage.hidden = !isDrawing;
    for (const tab of this.tabs.children) {
      if (tab.dataset.view === view) tab.setAttribute("aria-current", "true");
      else tab.removeAttribute("aria-current");
    }
    this.draw(false);
    if (tell && this.model.get("view") !== view) this.tell("view", view);
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
    if (this.controls) this.playing(false);
  }

  playing(on) {
    this.controls.playing(on);
    this.caption.mute(on);
  }

  resized() {
    if (!this.trace) return;
    this.narrow = this.root.clientWidth < NARROW;
    this.calls.resized();
    this.picture.width = 0;
    if (this.place !== undefined) this.draw(false);
  }

  close() {
    this.pause();
    this.watch.disconnect();
  }
}

function render({ model, el }) {
  const made = new Stepper(model, el);
  return () => made.close();
}

const stepper = { render };
export default stepper;
