// Controls: buttons, slider, jump and zoom. They say what is wanted, and show where one is.
import { attr, focusable, icon, node, put } from "./dom.js";
import { fullText } from "./calls.js";

const ZOOMS = ["docker", "engine", "system calls", "kernel"];
const BUTTONS = {
  first: ["First step", "M4 3v10M13 3L6.5 8l6.5 5z"],
  back: ["Previous step", "M11.5 3L5 8l6.5 5z"],
  play: ["Play", "M5 2.5L13 8l-8 5.5z"],
  next: ["Next step", "M4.5 3L11 8l-6.5 5z"],
  last: ["Last step", "M12 3v10M3 3l6.5 5L3 13z"],
};
const PAUSE = "M5 3v10M11 3v10";

export class Controls {
  // `onGo` takes a place, `onMove` how far, `onPlay` nothing, `onZoom` a depth.
  constructor({ onGo, onMove, onPlay, onZoom }) {
    const act = {
      first: () => onGo(0),
      back: () => onMove(-1),
      play: onPlay,
      next: () => onMove(1),
      last: () => onGo(Infinity),
    };
    this.buttons = {};
    for (const [name, [label, path]] of Object.entries(BUTTONS)) {
      this.buttons[name] = focusable(
        "button",
        { type: "button", "aria-label": label, title: label, class: `mds-${name}`, onclick: act[name] },
        icon(path),
      );
    }
    const going = (input) => () => onGo(Number(input().value));
    this.slider = focusable("input", {
      type: "range",
      min: "0",
      "aria-label": "Step",
      oninput: going(() => this.slider),
    });
    this.jump = focusable("input", {
      type: "number",
      min: "0",
      class: "mds-jump",
      "aria-label": "Jump to step",
      onchange: going(() => this.jump),
    });
    this.total = node("span", { class: "mds-total" });
    const options = ZOOMS.map((label, depth) => node("option", { value: depth }, label));
    this.zoom = focusable(
      "select",
      { "aria-label": "Zoom: how deep to look", onchange: () => onZoom(Number(this.zoom.value)) },
      ...options,
    );
    const step = node("label", { class: "mds-at" }, "step ", this.jump, this.total);
    const zoom = node("label", { class: "mds-zoom" }, "zoom ", this.zoom);
    const buttons = node("div", { class: "mds-buttons" }, ...Object.values(this.buttons));
    this.element = node("footer", {}, buttons, this.slider, step, zoom);
  }

  zoomed(depth, count) {
    this.zoom.value = String(depth);
    attr(this.slider, "max", count);
    attr(this.jump, "max", count);
    put(this.total, ` / ${count}`);
  }

  show(place, count, step) {
    this.slider.value = String(place);
    this.jump.value = String(place);
    const said = step ? `Step ${place} of ${count}: ${fullText(step)}` : `Before step 1 of ${count}`;
    attr(this.slider, "aria-valuetext", said);
    this.slider.style.setProperty("--done", `${(100 * place) / Math.max(1, count)}%`);
    const { first, back, next, last } = this.buttons;
    for (const [button, off] of [[first, place === 0], [back, place === 0], [next, place === count], [last, place === count]]) { // prettier-ignore
      if (button.ariaDisabled !== String(off)) button.ariaDisabled = String(off);
    }
  }

  playing(on) {
    const [label, path] = on ? ["Pause", PAUSE] : BUTTONS.play;
    attr(this.buttons.play, "aria-label", label);
    attr(this.buttons.play, "title", label);
    this.buttons.play.replaceChildren(icon(path));
  }
}
