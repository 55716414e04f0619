// The alert rules: which are chosen, and the options of each.

import { h } from "./dom.js";
import { t } from "./language.js";
import { SEVERITIES } from "./words.js";

export function rulesCard({ alerts, site }, templates, changed) {
  const rest = Object.keys(templates).filter((rule) => !(rule in alerts));
  const chosen = h("select", { "aria-label": t("Rule to add") }, rest.map((rule) => h("option", { value: rule }, rule)));
  return [
    Object.entries(alerts).map(([rule, own]) => h("div", { className: "segment", "data-rule": rule },
      h("div", { className: "title" }, h("h3", {}, rule), h("button", { className: "plain", "data-key": `remove ${rule}`, onclick: () => { delete alerts[rule]; changed(); } }, t("Remove"))),
      h("div", { className: "bar" }, Object.entries({ ...templates[rule], ...own }).map(([key, value]) => option(rule, key, value, (next) => { alerts[rule] = { ...alerts[rule], [key]: next }; changed(); })),
        rule === "zone_dwell" ? option(rule, "max_dwell_s", site.max_dwell_s, (next) => { site.max_dwell_s = next; changed(); }, t("{key} of zones without their own", { key: "max_dwell_s" })) : null))),
    rest.length ? h("div", { className: "bar" }, chosen, h("button", { "data-key": "add rule", onclick: () => { alerts[chosen.value] = { ...templates[chosen.value] }; changed(); } }, t("Add rule"))) : null,
  ];
}

function option(rule, key, value, change, label = key) {
  const about = { "data-key": `${rule} ${key}`, onchange: (event) => change(read(event.target, value)) };
  if (key === "severity") return h("label", {}, t("Severity"), h("select", about, Object.entries(SEVERITIES).map(([each, word]) => h("option", { value: each, selected: each === value }, word))));
  if (typeof value === "boolean") return h("label", {}, key, h("input", { type: "checkbox", checked: value, ...about }));
  if (typeof value === "number") return h("label", {}, label, h("input", { type: "number", step: "any", value, required: true, style: { width: "7em" }, ...about }));
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) return h("label", {}, t("{key}, with commas", { key }), h("input", { value: value.join(", "), ...about }));
  if (typeof value === "string") return h("label", {}, key, h("input", { value, style: { width: "9em" }, ...about }));
  return h("span", { className: "soft small" }, t("{key}: as text, below", { key }));
}

function read(field, before) {
  if (field.type === "checkbox") return field.checked;
  if (typeof before === "number") return field.value === "" ? before : Number(field.value);
  return Array.isArray(before) ? field.value.split(",").map((each) => each.trim()).filter(Boolean) : field.value.trim();
}
