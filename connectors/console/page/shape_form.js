// One zone or line: its name, its corners as numbers, and what counts in it.

import { h, toast } from "./dom.js";
import { cornersText, parseCorners, rename, write } from "./shapes.js";

const SEVERITIES = ["", "info", "warning", "critical"];
const DIRECTIONS = { left_to_right: "from left to right", right_to_left: "from right to left", both: "both ways", neither: "neither: only count" };

export function shapeRow(shape, edits, size, changed) {
  const { site } = edits;
  const block = site[shape.kind][shape.name];
  const set = (key, value) => {
    if (value === "" || value === null) delete block[key];
    else block[key] = value;
    changed();
  };
  const number = (key, label, step, about) => h("label", { title: about }, label, h("input", {
    type: "number", min: 0, step, value: block[key] ?? "", placeholder: "as the rule", style: { width: "8.5em" }, "data-key": `${shape.name} ${key}`,
    onchange: (event) => set(key, event.target.value === "" ? null : Number(event.target.value)),
  }));
  const corners = h("input", { value: cornersText(shape.points), style: { width: "100%" }, "data-key": `${shape.name} corners`, onchange: () => {
    const points = parseCorners(corners.value, shape.isZone ? 3 : 2, shape.isZone ? 100 : 2);
    if (!points) return toast("Expected corners in percent of the picture, such as 10 20, 30 40, 50 60.", { bad: true });
    write(site, { ...shape, points }, size);
    changed();
  } });
  const name = h("input", { value: shape.name, required: true, maxLength: 60, style: { width: "11em" }, "data-key": `${shape.name} name`, onchange: () => {
    const wanted = name.value.trim();
    if (!wanted || ["zones", "lines", "masks"].some((kind) => wanted in (site[kind] ?? {}))) return toast("Expected a name that no zone, line or mask has.", { bad: true });
    site[shape.kind] = rename(site[shape.kind], shape.name, wanted);
    changed();
  } });
  return h("div", { className: "segment", "data-shape": shape.name },
    h("div", { className: "bar" }, h("label", {}, { zones: "Zone", lines: "Line", masks: "Privacy mask" }[shape.kind], name),
      shape.kind === "masks" ? null : shape.isZone ? [number("max_dwell_s", "Longest stay, s", "any", "of zone_dwell"), number("max_people", "Most people", 1, "of occupancy")]
        : h("label", {}, "Forbidden", h("select", { "data-key": `${shape.name} forbidden`, onchange: (event) => set("forbidden", event.target.value) },
          Object.entries(DIRECTIONS).map(([value, words]) => h("option", { value, selected: value === block.forbidden }, words)))),
      shape.kind === "masks" ? null : h("label", {}, "Severity", h("select", { "data-key": `${shape.name} severity`, onchange: (event) => set("severity", event.target.value) },
        SEVERITIES.map((value) => h("option", { value, selected: value === (block.severity ?? "") }, value || "as the rule")))),
      h("button", { className: "plain", "data-key": `${shape.name} delete`, onclick: () => { delete site[shape.kind][shape.name]; changed(); } }, "Delete")),
    h("label", {}, "Corners, % of the picture", corners));
}
