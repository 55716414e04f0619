// One zone or line: its name, its corners as numbers, and what counts in it.

import { h, toast } from "./dom.js";
import { t } from "./language.js";
import { cornersText, parseCorners, rename, write } from "./shapes.js";
import { SEVERITIES } from "./words.js";

const DIRECTIONS = { left_to_right: t("from left to right"), right_to_left: t("from right to left"), both: t("both ways"), neither: t("neither: only count") };

export function shapeRow(shape, edits, size, changed) {
  const { site } = edits;
  const block = site[shape.kind][shape.name];
  const set = (key, value) => {
    if (value === "" || value === null) delete block[key];
    else block[key] = value;
    changed();
  };
  const number = (key, label, step, about) => h("label", { title: about }, label, h("input", {
    type: "number", min: 0, step, value: block[key] ?? "", placeholder: t("as the rule"), style: { width: "8.5em" }, "data-key": `${shape.name} ${key}`,
    onchange: (event) => set(key, event.target.value === "" ? null : Number(event.target.value)),
  }));
  const corners = h("input", { dir: "ltr", value: cornersText(shape.points), style: { width: "100%" }, "data-key": `${shape.name} corners`, onchange: () => {
    const points = parseCorners(corners.value, shape.isZone ? 3 : 2, shape.isZone ? 100 : 2);
    if (!points) return toast(t("Expected corners in percent of the picture, such as 10 20, 30 40, 50 60."), { bad: true });
    write(site, { ...shape, points }, size);
    changed();
  } });
  const name = h("input", { value: shape.name, required: true, maxLength: 60, style: { width: "11em" }, "data-key": `${shape.name} name`, onchange: () => {
    const wanted = name.value.trim();
    if (!wanted || ["zones", "lines", "masks"].some((kind) => wanted in (site[kind] ?? {}))) return toast(t("Expected a name that no zone, line or mask has."), { bad: true });
    site[shape.kind] = rename(site[shape.kind], shape.name, wanted);
    changed();
  } });
  return h("div", { className: "segment", "data-shape": shape.name },
    h("div", { className: "bar" }, h("label", {}, { zones: t("Zone"), lines: t("Line"), masks: t("Privacy mask") }[shape.kind], name),
      shape.kind === "masks" ? null : shape.isZone ? [number("max_dwell_s", t("Longest stay, s"), "any", t("of {rule}", { rule: "zone_dwell" })), number("max_people", t("Most people"), 1, t("of {rule}", { rule: "occupancy" }))]
        : h("label", {}, t("Forbidden"), h("select", { "data-key": `${shape.name} forbidden`, onchange: (event) => set("forbidden", event.target.value) },
          Object.entries(DIRECTIONS).map(([value, words]) => h("option", { value, selected: value === block.forbidden }, words)))),
      shape.kind === "masks" ? null : h("label", {}, t("Severity"), h("select", { "data-key": `${shape.name} severity`, onchange: (event) => set("severity", event.target.value) },
        Object.entries({ "": t("as the rule"), ...SEVERITIES }).map(([value, word]) => h("option", { value, selected: value === (block.severity ?? "") }, word)))),
      h("button", { className: "plain", "data-key": `${shape.name} delete`, onclick: () => { delete site[shape.kind][shape.name]; changed(); } }, t("Delete"))),
    h("label", {}, t("Corners, % of the picture"), corners));
}
