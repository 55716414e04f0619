// Charts of the calibration.

import { h, s } from "./dom.js";
import { decimal, percent } from "./format.js";
import { t } from "./language.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [460, 240, 46, 40];

// Distances between embeddings of one person and of two people, and the probability of one person at each distance.
export function calibrationCurve({ distances, probability, same, different }) {
  const [most, tallest] = [distances.at(-1), Math.max(...same, ...different)];
  const x = (distance) => LEFT + ((WIDTH - LEFT - 12) * distance) / most;
  const y = (share) => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 12) * share;
  const line = (values) => values.map((value, index) => `${x(distances[index]).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const hill = (values, kind) => s("polygon", { points: `${x(0)},${y(0)} ${line(values.map((value) => value / tallest))} ${x(most)},${y(0)}`, class: `hill ${kind}` });
  const shares = [0, 0.5, 1].flatMap((share) => [s("line", { x1: LEFT, x2: WIDTH - 12, y1: y(share), y2: y(share), class: "edge" }), s("text", { x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, percent(share))]);
  const ticks = [0, 0.4, 0.8, 1.2, 1.6].filter((tick) => tick <= most).map((tick) => s("text", { x: x(tick), y: HEIGHT - 22, "text-anchor": "middle" }, decimal(tick)));
  return h("figure", { className: "chart map" },
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": t("Probability of one person by distance of two embeddings") },
      ...shares, hill(same, "same"), hill(different, "different"), s("polyline", { points: line(probability), class: "path" }), ...ticks,
      s("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, t("distance of two embeddings"))),
    h("figcaption", { className: "keys small soft" }, key("same", t("distances of one person")), key("different", t("distances of two people")), key("line", t("probability of one person"))));
}

// Share of "same" among the answers of operators, by the pipeline's probability; on the diagonal both agree.
export function reliability(bins) {
  const there = bins.filter((bin) => bin.num);
  const most = Math.max(...there.map((bin) => bin.num));
  const at = (share) => [40 + 200 * share, 210 - 200 * share];
  const middle = (bin) => (bin.low + bin.high) / 2;
  return h("figure", { className: "chart map narrow" }, s("svg", { viewBox: "0 0 256 246", role: "img", "aria-label": t("Share of the answer same, by the pipeline’s probability") },
    s("line", { x1: at(0)[0], y1: at(0)[1], x2: at(1)[0], y2: at(1)[1], class: "edge", "stroke-dasharray": "4 4" }),
    s("polyline", { points: `${at(0)[0]},${at(1)[1]} ${at(0)[0]},${at(0)[1]} ${at(1)[0]},${at(0)[1]}`, class: "edge" }),
    ...there.map((bin) => s("circle", { cx: at(middle(bin))[0], cy: at(bin.num_same / bin.num)[1], r: 4 + 8 * Math.sqrt(bin.num / most), class: "dot" })),
    s("text", { x: 34, y: 16, "text-anchor": "end" }, percent(1)), s("text", { x: 34, y: 214, "text-anchor": "end" }, "0"),
    s("text", { x: 140, y: 238, "text-anchor": "middle" }, t("the pipeline’s probability"))),
  h("figcaption", { className: "small soft" }, t("Share of answers that are “same”. On the dashed line operators and pipeline agree. A larger dot means more answers.")));
}

function key(kind, text) {
  return h("span", {}, h("i", { className: `key ${kind}` }), text);
}
