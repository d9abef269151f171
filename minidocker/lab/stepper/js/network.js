// Network: namespaces as boxes, links in them, cables between them, and the frame on its way. Twin of network_view.py.
import { Drawing, LETTER, byLine, containerOf, sortedSpaces } from "./drawing.js";

const W = { chip: 150, height: 50, gap: 12, box: 348, title: 30, bridge: 38, cable: 64, line: 18, mostFrames: 6 };
const HOST_NET = "net:1";

export function network(trace, state, old, steps) {
  const drawing = new Drawing();
  const tables = state.links || {};
  const others = sortedSpaces(Object.keys(tables).filter((space) => space !== HOST_NET && space.startsWith("net:")));
  const host = tables[HOST_NET] || {};
  const ends = [...portPlaces(host, others).values()].map((x) => x + W.chip + W.gap);
  const width = Math.max(hostWidth(host), others.length * (W.box + W.gap) - W.gap, W.box, ...ends);
  const places = new Map([[HOST_NET, hostBox(drawing, state, old, width, others)]]);
  let x = 0;
  for (const space of others) {
    places.set(space, otherBox(drawing, state, old, space, x, places.get(HOST_NET).h + W.cable));
    x += W.box + W.gap;
  }
  drawCables(drawing, state, old, places);
  let bottom = Math.max(...[...places.values()].map((place) => place.y + place.h));
  const frames = steps.filter((step) => step.call === "frame" && step.data).map((step) => step.data);
  bottom = drawFrames(drawing, places, frames, bottom, width);
  return drawing.done("network", width, bottom + 8);
}

function portPlaces(host, others) {
  const places = new Map();
  let taken = 0;
  for (const [name, link] of Object.entries(host)) {
    if (!link.peer) continue;
    const place = others.indexOf(link.peer[0]);
    const above = place < 0 ? 0 : place * (W.box + W.gap) + W.gap;
    places.set(name, Math.max(above, taken + W.gap));
    taken = places.get(name) + W.chip;
  }
  return places;
}

function hostWidth(host) {
  const rest = Object.values(host).filter((link) => !link.peer && link.kind !== "bridge");
  return rest.length * (W.chip + W.gap) + 2 * W.gap;
}

function ownerWords(state, space) {
  if (space === HOST_NET) return "the host’s side";
  const tasks = state.tasks || {};
  const lines = Object.keys(tasks).filter((task) => (tasks[task].namespaces || {}).net === space);
  const names = lines.sort(byLine).map((task) => containerOf(state, task) || (tasks[task].name ?? "?"));
  return [...new Set(names)].join(", ") || "no task";
}

function hostBox(drawing, state, old, width, others) {
  const links = (state.links || {})[HOST_NET] || {};
  const place = { x: 0, y: 0, w: width, h: 0, links: new Map() };
  const names = Object.keys(links);
  const bridges = names.filter((name) => links[name].kind === "bridge");
  const rest = names.filter((name) => links[name].kind !== "bridge" && !links[name].peer);
  const ports = portPlaces(links, others);
  let y = drawRoutes(drawing, state, old, HOST_NET, W.gap, W.title, width);
  rest.forEach((name, number) => {
    linkChip(drawing, state, old, place, HOST_NET, name, W.gap + number * (W.chip + W.gap), y);
  });
  if (rest.length) y += W.height + W.gap;
  for (const name of bridges) {
    bridgeBar(drawing, state, old, place, HOST_NET, name, y);
    y += W.bridge + (name === bridges.at(-1) && ports.size ? W.gap / 2 : W.gap);
  }
  for (const [name, x] of ports) {
    linkChip(drawing, state, old, place, HOST_NET, name, x, y);
    const bar = place.links.get(links[name].master);
    const middle = x + W.chip / 2;
    if (bar) drawing.line(`port ${name}`, "port", [[middle, bar[2]], [middle, y]]); // prettier-ignore
  }
  if (ports.size) y += W.height + W.gap;
  place.h = Math.max(y, W.title + W.height);
  spaceBox(drawing, state, place, HOST_NET);
  return place;
}

function otherBox(drawing, state, old, space, x, top) {
  const links = (state.links || {})[space] || {};
  const place = { x, y: top, w: W.box, h: 0, links: new Map() };
  const rank = (name) => (links[name].peer ? 0 : 2) + (name === "lo" ? 1 : 0);
  const order = Object.keys(links)
    .map((name, number) => [rank(name), number, name])
    .sort((a, b) => a[0] - b[0] || a[1] - b[1])
    .map(([, , name]) => name);
  let y = top + W.title;
  order.forEach((name, number) => {
    const column = number % 2;
    linkChip(drawing, state, old, place, space, name, x + W.gap + column * (W.chip + W.gap), y);
    if (column === 1 || number === order.length - 1) y += W.height + W.gap;
  });
  y = drawRoutes(drawing, state, old, space, x + W.gap, y, W.box);
  place.h = Math.max(y - top, W.title + W.height);
  spaceBox(drawing, state, place, space);
  return place;
}

function spaceBox(drawing, state, place, space) {
  const isHost = space === HOST_NET;
  drawing.box(`space ${space}`, isHost ? "space first" : "space", place.x, place.y, place.w, place.h, 10);
  drawing.items.unshift(drawing.items.pop());
  const said = `${space} · ${ownerWords(state, space)}`;
  const x = isHost ? place.x + W.gap : place.x + place.w - W.gap;
  drawing.text(`title ${space}`, "title", x, place.y + 20, said, place.w - W.chip, isHost ? "start" : "end");
}

function linkChanged(state, old, space, name) {
  const [was, is] = [old, state].map((each) => ((each.links || {})[space] || {})[name]);
  return was !== is && JSON.stringify(byKeys(was)) !== JSON.stringify(byKeys(is));
}

const byKeys = (row) => row && Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1));

const linkWords = (link) => `${link.kind || "link"}, ${link.up ? "up" : "down"}`;

function linkChip(drawing, state, old, place, space, name, x, y) {
  const link = state.links[space][name];
  const now = linkChanged(state, old, space, name);
  place.links.set(name, [x + W.chip / 2, y, y + W.height]);
  const kind = `link ${link.kind || "link"} ${link.up ? "up" : "down"}${now ? " now" : ""}`;
  drawing.box(`link ${space} ${name}`, kind, x, y, W.chip, W.height, 6);
  const addresses = (link.addresses || []).join(", ");
  drawing.text(`name ${space} ${name}`, "title", x + 9, y + 19, name, W.chip - 12);
  const room = W.chip - 18 - Math.floor((LETTER * Array.from(name).length) / 10);
  const how = `${link.kind || "link"} ${link.up ? "up" : "down"}`;
  drawing.text(`note ${space} ${name}`, "note", x + W.chip - 9, y + 19, how, room, "end");
  const said = addresses || (link.master ? `port of ${link.master}` : "no address");
  drawing.text(`address ${space} ${name}`, "word", x + 9, y + 38, said, W.chip - 12);
  sayLink(drawing, state, space, name, now);
}

function bridgeBar(drawing, state, old, place, space, name, y) {
  const link = state.links[space][name];
  const now = linkChanged(state, old, space, name);
  place.links.set(name, [place.x + Math.floor(place.w / 2), y, y + W.bridge]);
  const kind = `link bridge ${link.up ? "up" : "down"}${now ? " now" : ""}`;
  drawing.box(`link ${space} ${name}`, kind, place.x + W.gap, y, place.w - 2 * W.gap, W.bridge, 6);
  const words = [name, `bridge, ${link.up ? "up" : "down"}`, (link.addresses || []).join(", ")];
  const said = words.filter(Boolean).join(" · ");
  drawing.text(`name ${space} ${name}`, "title", place.x + W.gap + 12, y + 21, said, place.w - 40);
  sayLink(drawing, state, space, name, now);
}

function sayLink(drawing, state, space, name, now) {
  const link = state.links[space][name];
  const words = [
    linkWords(link),
    (link.addresses || []).join(", "),
    link.peer ? `other end ${link.peer[1]} in ${link.peer[0]}` : "",
    link.master ? `port of ${link.master}` : "",
  ];
  drawing.say(1, `${space} ${name}: ${words.filter(Boolean).join(", ")}`, now);
}

function drawRoutes(drawing, state, old, space, x, top, width) {
  const routes = Object.entries((state.routes || {})[space] || {});
  const before = (old.routes || {})[space] || {};
  let y = top;
  for (const [destination, route] of routes) {
    const gateway = route.gateway ? ` via ${route.gateway}` : "";
    const said = `${destination}${gateway} dev ${route.link || ""}`;
    const was = before[destination];
    const now = !was || was.link !== route.link || was.gateway !== route.gateway;
    drawing.text(`route ${space} ${destination}`, now ? "note changed" : "note", x, y + 10, said, width - 2 * W.gap);
    drawing.say(1, `${space} route ${said}`, now);
    y += W.line;
  }
  return y + (routes.length ? W.gap / 2 : 0);
}

const endsOf = (places, space, name) => (places.has(space) ? places.get(space).links.get(name) : undefined);

function drawCables(drawing, state, old, places) {
  for (const [space, links] of Object.entries(state.links || {})) {
    for (const [name, link] of Object.entries(links)) {
      const { peer } = link;
      if (!peer || space > peer[0] || (space === peer[0] && name > peer[1])) continue;
      if (!endsOf(places, space, name) || !endsOf(places, ...peer)) continue;
      const other = ((state.links || {})[peer[0]] || {})[peer[1]] || {};
      const now = linkChanged(state, old, space, name) || linkChanged(state, old, ...peer);
      const kind = `cable ${link.up && other.up ? "up" : "down"}${now ? " now" : ""}`;
      drawing.line(`cable ${space} ${name}`, kind, cablePoints(places, [space, name], peer));
    }
  }
}

function cablePoints(places, one, other) {
  const [a, b] = [endsOf(places, ...one), endsOf(places, ...other)];
  if (one[0] === other[0]) {
    const low = Math.max(a[2], b[2]) + 6;
    return [[a[0], a[2]], [a[0], low], [b[0], low], [b[0], b[2]]]; // prettier-ignore
  }
  if (one[0] === HOST_NET || other[0] === HOST_NET) {
    const [top, bottom] = one[0] === HOST_NET ? [a, b] : [b, a];
    const middle = Math.floor((top[2] + bottom[1]) / 2);
    const points = [[top[0], top[2]], [top[0], middle], [bottom[0], middle], [bottom[0], bottom[1]]]; // prettier-ignore
    return one[0] === HOST_NET ? points : points.reverse();
  }
  const high = places.get(one[0]).y - 14;
  return [[a[0], a[1]], [a[0], high], [b[0], high], [b[0], b[1]]]; // prettier-ignore
}

function drawFrames(drawing, places, frames, top, width) {
  const told = frames.slice(-W.mostFrames);
  let y = top;
  told.forEach((frame, number) => {
    const text = `${frame.link ?? ""} → ${frame.to ?? ""} · ${frame.what ?? ""}`;
    const last = number === told.length - 1;
    drawing.text(`frame text ${number}`, last ? "word changed" : "note", 4, y + 22, text, width - 8);
    drawing.lines.splice(number, 0, { depth: 0, text: `frame ${text}`, now: last });
    y += W.line;
  });
  if (told.length) drawWay(drawing, places, told.at(-1));
  return y + (told.length ? 14 : 0);
}

function drawWay(drawing, places, frame) {
  const one = [String(frame.netns ?? ""), String(frame.link ?? "")];
  const other = [String(frame.to_netns ?? ""), String(frame.to ?? "")];
  const [start, end] = [endsOf(places, ...one), endsOf(places, ...other)];
  if (!start || !end) return;
  let points;
  if (one[0] !== other[0]) {
    points = cablePoints(places, one, other);
  } else {
    const via = endsOf(places, one[0], String(frame.via ?? ""));
    const level = via ? via[2] - Math.floor(W.bridge / 5) : Math.floor((start[1] + start[2]) / 2);
    points = [[start[0], start[1]], [start[0], level], [end[0], level], [end[0], end[1]]]; // prettier-ignore
  }
  drawing.arrow("way", "way", points);
  const [x, y] = points.at(-1);
  drawing.box("frame", "frame", x - 13, y - 9, 26, 18, 3);
  drawing.line("flap", "flap", [[x - 13, y - 9], [x, y + 1], [x + 13, y - 9]]); // prettier-ignore
}
