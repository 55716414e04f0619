// The ground plane of a camera, from points of the picture whose place on the floor is known.

import { send } from "./api.js";
import { h, put, toast } from "./dom.js";
import { decimal } from "./format.js";
import { t } from "./language.js";

const NEEDED = 4;

export function groundCard(drawing, cameraNow, sizeNow, draft, changed) {
  const points = new Map();
  const body = h("div", { className: "stack" });
  let placed = null; // the point that is being set on the floor plan
  const mine = () => points.get(cameraNow()) ?? points.set(cameraNow(), { rows: [], found: null }).get(cameraNow());
  const pixels = (point) => [point[0] * sizeNow()[1], point[1] * sizeNow()[0]];

  function show() {
    const { rows, found } = mine();
    const [height, width] = sizeNow();
    drawing.marks = rows.map(({ point }, index) => ({
      point, name: String(index + 1), isBad: found ? !found.is_used[index] : false,
      back: found ? [found.back_px[index][0] / width, found.back_px[index][1] / height] : null,
    }));
    drawing.draw();
    const known = draft.edits.site.ground?.[cameraNow()];
    const used = found ? found.errors_m.filter((_, index) => found.is_used[index]) : [];
    put(body,
      h("p", { className: "soft" }, t("Set four points or more that lie on the floor, far apart, and write where each is, in metres, from any corner that all cameras of the site share. More points show which one is wrong.")),
      known ? h("p", { className: "small" }, t("This camera has a ground plane. Points that you use here replace it: for rules at once, for who is who from the next start.")) : null,
      rows.length ? h("div", { className: "scroll" }, h("table", {},
        h("thead", {}, h("tr", {}, [t("point"), t("in the picture, px"), t("x, m"), t("y, m"), t("error, m"), "", ""].map((title) => h("th", {}, title)))),
        h("tbody", {}, rows.map((row, index) => h("tr", {}, h("td", {}, index + 1), h("td", { className: "num" }, pixels(row.point).map(Math.round).join(", ")),
          [0, 1].map((side) => h("td", {}, h("input", { type: "number", step: "any", value: row.metres[side] ?? "", "aria-label": t("Point {number}, {axis} in metres", { number: index + 1, axis: "xy"[side] }), "data-key": `ground ${index} ${side}`, style: { width: "7em" },
            onchange: (event) => { row.metres[side] = event.target.value === "" ? null : Number(event.target.value); mine().found = null; } }))),
          h("td", { className: "num" }, found ? (found.is_used[index] ? decimal(found.errors_m[index], 2) : h("span", { className: "tag bad" }, t("left out: {error}", { error: decimal(found.errors_m[index], 2) }))) : "–"),
          h("td", {}, h("button", { className: "plain", "data-key": `ground place ${index}`, "aria-pressed": String(placed === row), onclick: () => { placed = row; show(); } }, placed === row ? t("Select it on the plan") : t("Place on the plan"))),
          h("td", {}, h("button", { className: "plain", "data-key": `ground drop ${index}`, onclick: () => { rows.splice(index, 1); mine().found = null; show(); } }, t("Delete")))))))) : null,
      found ? h("p", { "data-ground": "found" }, t("{used} of {all} points agree, {mean} m on average, {most} m at most. The blue rings show where each place is in the picture.", { used: used.length, all: rows.length, mean: decimal(used.reduce((sum, each) => sum + each, 0) / used.length, 2), most: decimal(Math.max(...used), 2) }),
        rows.length === NEEDED ? ` ${t("Four points always agree: set one more to check them.")}` : null) : null,
      h("div", { className: "bar" },
        h("button", { "data-key": "ground add", onclick: () => drawing.begin(1, 1, ([point]) => { rows.push({ point, metres: [null, null] }); mine().found = null; show(); body.querySelector(`[data-key="ground ${rows.length - 1} 0"]`).focus(); }) }, t("Set a point")),
        h("button", { "data-key": "ground compute", disabled: rows.length < NEEDED, onclick: compute }, t("Compute")),
        h("button", { className: "main", "data-key": "ground use", disabled: !found, onclick: use }, t("Use for this camera"))));
  }

  async function compute() {
    const { rows } = mine();
    if (rows.some(({ metres }) => metres.includes(null))) return toast(t("Write both metres of every point."), { bad: true });
    try {
      mine().found = await send("rules/ground", { pixels: rows.map(({ point }) => pixels(point)), metres: rows.map(({ metres }) => metres) });
      show();
    } catch (error) {
      toast(error.message, { bad: true });
    }
  }

  function use() {
    draft.edits.site.ground = { ...draft.edits.site.ground, [cameraNow()]: mine().found.rows };
    changed();
    show();
  }

  // Takes the metres of a point that was selected on the floor plan.
  function place(metres) {
    placed.metres = metres;
    placed = null;
    mine().found = null;
    show();
  }

  return { show, place, isPlacing: () => mine().rows.includes(placed), element: h("section", { className: "card" }, h("h2", {}, t("Ground points")), h("details", { ontoggle: show }, h("summary", {}, t("Where the floor lies in this camera's picture")), body)) };
}
