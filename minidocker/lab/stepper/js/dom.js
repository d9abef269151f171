// Dom: making nodes in one line each.
const SVG = "http://www.w3.org/2000/svg";

export function node(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

function dress(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// What can have the focus says to Jupyter Lab, on the element itself, that its keys are its own.
export function focusable(tag, attributes, ...children) {
  return node(tag, { "data-lm-suppress-shortcuts": "true", ...attributes }, ...children);
}

export function icon(path, size = 16) {
  return draw(
    "svg",
    { viewBox: "0 0 16 16", width: size, height: size, class: "mds-icon", "aria-hidden": "true" },
    draw("path", { d: path }),
  );
}

export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function attr(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}
