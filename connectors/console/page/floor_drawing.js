// Draws the ground and the people on it, in metres.

import { h, put, s } from "./dom.js";
import { colour, personLink } from "./format.js";
import { t, tn } from "./language.js";

const [WIDTH, HEIGHT, BORDER] = [960, 560, 30];

// Returns what draws people: `{ key, person, name, place, trails, cameras }` each. The ground grows with `places`; `picture` is
// the floor plan that was uploaded, if there is one.
export function drawPlan(parent, areas, places, picture) {
  const size = picture?.metres_per_px ? [picture.width, picture.height].map((side) => side * picture.metres_per_px) : null;
  const ground = s("g");
  const people = s("g");
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": t("Floor plan") }, ground, people);
  const list = h("div", { className: "bar", "data-here": "" });
  parent.replaceChildren(svg, list);
  const marks = new Map();
  let view = null;

  // Fits the ground to the picture; it only grows, so that it does not jump.
  function fit() {
    const all = [...Object.values(areas).flat(), ...places(), ...(size ? [[0, 0], size] : [])];
    if (!all.length) return;
    const old = view;
    const sides = [0, 1].map((side) => {
      const values = all.map((place) => place[side]);
      return [Math.min(...values, old ? old.sides[side][0] : Infinity), Math.max(...values, old ? old.sides[side][1] : -Infinity)];
    });
    if (old && sides.flat().every((value, index) => value === old.sides.flat()[index])) return;
    const scale = Math.min((WIDTH - 2 * BORDER) / Math.max(sides[0][1] - sides[0][0], 1), (HEIGHT - 2 * BORDER) / Math.max(sides[1][1] - sides[1][0], 1));
    view = { sides, scale };
    const bar = 5 * scale;
    const [left, top] = size ? at([0, size[1]]) : [];
    ground.replaceChildren(
      ...(size ? [s("image", { href: "/api/floor-plan/picture", x: left, y: top, width: size[0] * scale, height: size[1] * scale, preserveAspectRatio: "none", opacity: 0.6 })] : []),
      ...Object.values(areas).map((corners) => s("polygon", { points: corners.map((place) => at(place).join()).join(" "), class: "area" })),
      ...Object.entries(areas).map(([camera, corners]) => {
        const [x, y] = at([0, 1].map((side) => corners.reduce((sum, place) => sum + place[side], 0) / corners.length));
        return s("text", { x, y, "text-anchor": "middle", opacity: 0.75 }, camera);
      }),
      s("line", { x1: BORDER, x2: BORDER + bar, y1: HEIGHT - 10, y2: HEIGHT - 10, stroke: "currentColor", "stroke-width": 2 }),
      s("text", { x: BORDER + bar + 8, y: HEIGHT - 6 }, t("{number} m", { number: 5 })));
  }

  function at([x, y]) {
    return [BORDER + (x - view.sides[0][0]) * view.scale, HEIGHT - BORDER - (y - view.sides[1][0]) * view.scale].map((side) => Math.round(10 * side) / 10);
  }

  function mark(each) {
    const { css } = each.person ? colour(each.person) : { css: "#9aa1a9" };
    const text = each.person ? `${each.person}${each.name ? ` ${each.name}` : ""}` : "?";
    const trails = s("g");
    const label = s("g", { "data-person": each.person ?? "", "data-key": each.key },
      s("circle", { r: 9 }), s("text", { y: -15, "text-anchor": "middle", "font-weight": 600 }, text));
    label.querySelector("circle").style.fill = css;
    if (each.person) {
      label.style.cursor = "pointer";
      label.addEventListener("click", () => { location.hash = `#/person/${each.person}`; });
    }
    return { text, trails, label, css };
  }

  return (found) => {
    fit();
    if (!view) return;
    const keys = new Set(found.map(({ key }) => key));
    for (const [key, { trails, label }] of marks) if (!keys.has(key)) { trails.remove(); label.remove(); marks.delete(key); }
    let isOther = false;
    for (const each of found) {
      const text = each.person ? `${each.person}${each.name ? ` ${each.name}` : ""}` : "?";
      if (marks.get(each.key)?.text !== text) {
        marks.get(each.key)?.trails.remove();
        marks.get(each.key)?.label.remove();
        marks.set(each.key, mark(each));
        people.prepend(marks.get(each.key).trails);
        people.append(marks.get(each.key).label);
        isOther = true;
      }
      const { trails, label, css } = marks.get(each.key);
      const [x, y] = at(each.place);
      label.setAttribute("transform", `translate(${x} ${y})`);
      label.dataset.place = each.place.map((side) => side.toFixed(2)).join();
      trails.replaceChildren(...each.trails.filter((trail) => trail.length > 1).map((trail) => s("polyline", { points: trail.map((place) => at(place).join()).join(" "), fill: "none", stroke: css, "stroke-width": 3, opacity: 0.6, "stroke-linejoin": "round" })));
    }
    if (isOther || list.childElementCount !== found.length) {
      put(list, found.filter(({ person }) => person).map(({ person, name, cameras }) => h("span", {}, personLink(person, name), h("span", { className: "soft small" }, ` ${[name, cameras.join(", ")].filter(Boolean).join(", ")}`))));
    }
    svg.setAttribute("aria-label", tn("Floor plan with {count} person", "Floor plan with {count} people", found.length));
  };
}
