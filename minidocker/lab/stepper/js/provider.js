// Provider: which layer of a stack serves a name. The twin of minidocker/provider.py: a stack is a list of objects from
// path to entry, the topmost first.
const ROOT = { kind: "dir" };

// {found: [[layer, the path's name there], …] topmost first, endedBy: layer or null}
export function provider(path, stack) {
  let names = path.split("/").filter(Boolean);
  const found = [];
  for (let number = 0; number < stack.length; number += 1) {
    const seen = look(stack[number], names);
    let ends = seen.ends;
    if (seen.entry) {
      const isDir = seen.entry.kind === "dir";
      if (found.length && !isDir) return { found, endedBy: number };
      found.push([number, "/" + names.join("/")]);
      ends = ends || !isDir;
    }
    if (ends) return { found, endedBy: number };
    names = seen.below;
  }
  return { found, endedBy: null };
}

function look(layer, names) {
  let entry = names.length ? undefined : layer["/"] || ROOT;
  let at = "";
  let ends = false;
  let below = [];
  for (let number = 0; number < names.length; number += 1) {
    at += "/" + names[number];
    entry = layer[at];
    below = renamed(entry, below, names[number]);
    if (!entry) continue;
    if (entry.kind === "whiteout" || (entry.kind !== "dir" && number < names.length - 1)) {
      return { entry: undefined, ends: true, below };
    }
    ends = ends || Boolean(entry.opaque);
  }
  return { entry, ends, below };
}

function renamed(entry, parent, name) {
  const redirect = entry && entry.redirect;
  if (!redirect) {
    parent.push(name);
    return parent;
  }
  return redirect.startsWith("/") ? redirect.split("/").filter(Boolean) : [...parent, redirect];
}

const bytesOf = (entry) => (entry && entry.kind === "file" ? entry.size || 0 : 0);

// The bytes of lower files that serve no name. What the lower layers hide of each other is counted once for a stack;
// then only what the writable layer has is looked at, so that a step costs what it touches.
export class HiddenBytes {
  constructor(lowers) {
    this.lowers = lowers;
    this.below = new Map(); // path -> bytes of the lower files that are served there or below it
    this.kept = 0;
    for (const layer of lowers) for (const path in layer) this.kept += bytesOf(layer[path]);
    this.plain = !lowers.some((layer) => Object.values(layer).some((entry) => entry.redirect));
    this.served = this.plain ? this.count() : 0;
  }

  count() {
    let served = 0;
    for (const path of new Set(this.lowers.flatMap((layer) => Object.keys(layer)))) {
      const [first] = provider(path, this.lowers).found;
      const bytes = first ? bytesOf(this.lowers[first[0]][path]) : 0;
      if (!bytes) continue;
      served += bytes;
      for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1)) {
        const at = path.slice(0, end);
        this.below.set(at, (this.below.get(at) || 0) + bytes);
      }
    }
    return served;
  }

  of(upper) {
    if (!this.plain || Object.values(upper).some((entry) => entry.redirect)) return this.slowly(upper);
    let hidden = this.kept - this.served;
    for (const path in upper) {
      const entry = upper[path];
      const hides = entry.kind !== "dir" || entry.opaque;
      if (hides && !hiddenAbove(path, upper)) hidden += this.below.get(path) || 0;
      else if (entry.kind === "dir" && !hiddenAbove(path, upper)) hidden += this.fileAt(path);
    }
    return hidden;
  }

  fileAt(path) {
    const [first] = provider(path, this.lowers).found;
    return first ? bytesOf(this.lowers[first[0]][path]) : 0;
  }

  slowly(upper) {
    const stack = [upper, ...this.lowers];
    const served = new Map();
    for (const path of namesOf(stack)) {
      const [first] = provider(path, stack).found;
      if (first && first[0] > 0) served.set(`${first[0]} ${first[1]}`, bytesOf(stack[first[0]][first[1]]));
    }
    return this.kept - [...served.values()].reduce((sum, bytes) => sum + bytes, 0);
  }
}

function hiddenAbove(path, upper) {
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    const entry = upper[path.slice(0, end)];
    if (entry && (entry.kind !== "dir" || entry.opaque)) return true;
  }
  return false;
}

// Every name of the merged tree but the root, as a walk through its directories finds them.
export function namesOf(stack) {
  const children = stack.map(childrenOf);
  const names = new Set();
  const directories = ["/"];
  while (directories.length) {
    const path = directories.pop();
    for (const [number, name] of provider(path, stack).found) {
      for (const child of children[number].get(name) || []) {
        const at = `${path === "/" ? "" : path}/${child}`;
        if (names.has(at) || !provider(at, stack).found.length) continue;
        names.add(at);
        directories.push(at);
      }
    }
  }
  return names;
}

function childrenOf(layer) {
  const children = new Map();
  for (const path in layer) {
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    const folder = path.slice(0, slash) || "/";
    if (!name) continue;
    if (children.has(folder)) children.get(folder).push(name);
    else children.set(folder, [name]);
  }
  return children;
}
