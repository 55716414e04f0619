// Zones and lines as the site's file has them, and their corners as shares of a picture.

// The unit of new shapes: shares of the picture, which hold when the camera's resolution changes.
const DIGITS = 1e4;

// Shapes of a camera that can be drawn: in pixels or in shares of the picture. Those in metres are of the ground.
export function drawn(site, camera, [height, width]) {
  const found = [];
  for (const [name, zone] of Object.entries(site.zones ?? {})) {
    if (isDrawn(zone, camera)) found.push({ kind: "zones", name, isZone: true, points: zone.polygon.map((point) => share(point, zone, width, height)) });
  }
  for (const [name, line] of Object.entries(site.lines ?? {})) {
    if (isDrawn(line, camera)) found.push({ kind: "lines", name, isZone: false, points: [line.from, line.to].map((point) => share(point, line, width, height)) });
  }
  for (const [name, mask] of Object.entries(site.masks ?? {})) {
    if (isDrawn(mask, camera)) found.push({ kind: "masks", name, isZone: true, points: mask.polygon.map((point) => share(point, mask, width, height)) });
  }
  return found;
}

function isDrawn(block, camera) {
  return block?.camera === camera && !block.metres;
}

function share([x, y], block, width, height) {
  return block.relative ? [x, y] : [x / width, y / height];
}

// Writes the corners of a drawn shape into the site, in the unit that it has there.
export function write(site, { kind, name, points }, [height, width]) {
  const block = site[kind][name];
  const corners = points.map(([x, y]) => (block.relative ? [x, y].map((value) => Math.round(value * DIGITS) / DIGITS) : [Math.round(x * width), Math.round(y * height)]));
  if (kind === "lines") [block.from, block.to] = corners;
  else block.polygon = corners;
}

export function add(site, kind, camera, points) {
  const name = freeName(site, { zones: "zone", lines: "line", masks: "mask" }[kind]);
  site[kind] = { ...site[kind], [name]: kind === "lines" ? { camera, relative: true, from: [], to: [], forbidden: "both" } : { camera, relative: true, polygon: [] } };
  write(site, { kind, name, points }, [1, 1]);
  return name;
}

export function freeName(site, stem) {
  const taken = new Set([...Object.keys(site.zones ?? {}), ...Object.keys(site.lines ?? {}), ...Object.keys(site.masks ?? {})]);
  let number = 1;
  while (taken.has(`${stem} ${number}`)) number += 1;
  return `${stem} ${number}`;
}

// Renames a shape, and keeps its place in the order of the file.
export function rename(shapes, from, to) {
  return Object.fromEntries(Object.entries(shapes).map(([name, block]) => [name === from ? to : name, block]));
}

// Corners as text, in percent of the picture: "10 20, 30 40". Null if it is none.
export function cornersText(points) {
  return points.map((point) => point.map((value) => Math.round(value * 1000) / 10).join(" ")).join(", ");
}

export function parseCorners(text, least, most) {
  const points = text.split(",").map((pair) => pair.trim().split(/\s+/).map((value) => Number(value) / 100));
  const isRight = points.length >= least && points.length <= most && points.every((pair) => pair.length === 2 && pair.every((value) => value >= 0 && value <= 1));
  return isRight ? points : null;
}
