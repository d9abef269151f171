// Calls: the list of steps, like strace's, indented by depth. Only the rows that can be seen have nodes.
import { attr, focusable, node, put } from "./dom.js";

const HEIGHT = 26;
const ACTORS = ["client", "daemon", "init", "kernel"]; // the others are programs

export class Calls {
  constructor({ onPick }) {
    this.onPick = onPick;
    this.rows = new Map();
    this.spacer = node("div", { class: "mds-spacer" });
    this.element = focusable(
      "div",
      { class: "mds-calls", tabindex: "0", role: "listbox", "aria-label": "Calls" },
      this.spacer,
    );
    this.id = `mds-call-${Math.random().toString(36).slice(2)}-`;
    this.scrolled = 0; // kept, because to ask the browser for it would make it lay out the page at once
    this.element.addEventListener(
      "scroll",
      () => {
        this.scrolled = this.element.scrollTop;
        this.fill();
      },
      { passive: true },
    );
    this.element.addEventListener("click", (event) => {
      const row = event.target.closest("[data-place]");
      if (row) this.onPick(Number(row.dataset.place));
    });
  }

  show(steps, place) {
    if (steps !== this.steps) {
      for (const row of this.rows.values()) row.element.remove();
      this.rows.clear();
      this.shallow = Math.min(...steps.map((step) => step.depth), 3);
      this.spacer.style.height = `${steps.length * HEIGHT}px`;
    }
    Object.assign(this, { steps, place });
    this.keepInView();
    this.fill();
    attr(this.element, "aria-activedescendant", place ? this.id + place : "");
  }

  keepInView() {
    const seen = (this.height ||= this.element.clientHeight || 400);
    const top = (this.place - 1) * HEIGHT;
    if (top < this.scrolled + HEIGHT) this.scrolled = Math.max(0, top - 2 * HEIGHT);
    else if (top + 2 * HEIGHT > this.scrolled + seen) this.scrolled = top + 3 * HEIGHT - seen;
    else return;
    const wanted = this.scrolled; // a scroll event on its way may still tell an older place
    requestAnimationFrame(() => (this.element.scrollTop = wanted));
  }

  fill() {
    if (!this.steps) return;
    const first = Math.max(1, Math.floor(this.scrolled / HEIGHT) - 2);
    const last = Math.min(this.steps.length, Math.ceil((this.scrolled + (this.height || 400)) / HEIGHT) + 3);
    for (const [place, row] of this.rows) {
      if (place >= first && place <= last) continue;
      row.element.remove();
      this.rows.delete(place);
    }
    for (let place = first; place <= last; place += 1) {
      let row = this.rows.get(place);
      if (!row) {
        row = { element: this.makeRow(place) };
        this.rows.set(place, row);
        this.spacer.append(row.element);
      }
      const when = place === this.place ? "now" : place > this.place ? "later" : "done";
      if (row.when === when) continue;
      row.when = when;
      row.element.dataset.when = when;
      row.element.setAttribute("aria-selected", when === "now");
    }
  }

  makeRow(place) {
    const step = this.steps[place - 1];
    const who = node("span", { class: `mds-who ${actorClass(step.actor)}` }, step.actor);
    const text = node("span", { class: "mds-text" }, step.text);
    const result = node("span", { class: step.errno ? "mds-result error" : "mds-result" }, resultText(step));
    const style = `top:${(place - 1) * HEIGHT}px;--depth:${step.depth - this.shallow}`;
    return node(
      "div",
      {
        class: `mds-call depth${step.depth}${writes(step) ? " writes" : ""}${step.simulated ? " aside" : ""}`,
        style,
        role: "option",
        id: this.id + place,
        "data-place": place,
        "aria-setsize": this.steps.length,
        "aria-posinset": place,
        title: fullText(step),
      },
      who,
      text,
      result,
    );
  }

  resized() {
    this.height = this.element.clientHeight;
    if (this.steps) this.keepInView();
    this.fill();
  }
}

function writes(step) {
  return step.changes.some(([path]) => path[0] === "uppers" && path.length > 2);
}

export function actorClass(actor) {
  return ACTORS.includes(actor) ? actor : "program";
}

export function resultText(step) {
  if (step.errno) return `✕ ${step.errno}`;
  return step.result && step.result !== "0" ? `= ${step.result}` : "";
}

export function fullText(step) {
  return step.result ? `${step.text} = ${step.result}` : step.text;
}

export function putCall(element, step) {
  put(element, step ? fullText(step) : "Before the first step");
}
