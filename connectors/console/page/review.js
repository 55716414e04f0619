// The review queue, decided with two keys, and the audit, which measures precision and recall.

import { get, send, waitUntilApplied } from "./api.js";
import { h, put, toast } from "./dom.js";
import { percent, personLink, probabilityText, thumbnail, width } from "./format.js";
import { t } from "./language.js";

export async function page(root, context, [tab = "queue"]) {
  const body = h("div");
  const isQueue = tab !== "audit";
  let current = null;
  let isBusy = false;
  let last = null;
  const skipped = new Set();
  const choose = (name, title) => h("button", { role: "tab", "aria-selected": String((name === "queue") === isQueue), onclick: () => { location.hash = `#/review/${name}`; } }, title);
  put(root,
    h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, t("Review")),
      h("p", {}, isQueue ? t("The pipeline is uncertain about these sightings. Your answer is applied, and the pipeline learns from it. You can undo it.") : t("A random sample of pairs. Your answers change nothing; they measure how often the pipeline is right.")))),
    h("div", { className: "tabs", role: "tablist" }, choose("queue", t("Uncertain sightings")), choose("audit", t("Audit of the site"))), body);

  const key = (pair) => `${pair.first.track} ${pair.first.part} ${pair.second.track} ${pair.second.part}`;

  async function refresh() {
    const found = await get(isQueue ? "review" : "audit-sample", isQueue ? { limit: 50 } : {});
    current = (isQueue ? found.questions : found.pairs).find((pair) => !skipped.has(key(pair))) ?? null;
    put(body, isQueue ? null : scores(found), current ? question(found) : done(found), isQueue ? calibration(found.calibration) : null);
  }

  function question(found) {
    const side = (which, person) => h("figure", {}, thumbnail(which, t("Camera {camera}", which)),
      h("figcaption", {}, which.camera, isQueue && person > 0 ? [" · ", personLink(person)] : null));
    return h("section", { className: "card", "data-pair": key(current) },
      h("div", { className: "pair" }, side(current.first, current.persons?.[0]), side(current.second, current.persons?.[1])),
      context.may("operator") ? h("div", { className: "answers" },
        h("button", { className: "main", "data-key": "same", onclick: () => answer(true) }, t("Same"), " ", h("kbd", {}, "S")),
        h("button", { "data-key": "different", onclick: () => answer(false) }, t("Different"), " ", h("kbd", {}, "D")),
        h("button", { className: "plain", "data-key": "skip", onclick: skip }, t("Skip"), " ", h("kbd", {}, "N"))) : h("p", { className: "soft" }, t("Only operators can answer.")),
      h("p", { className: "soft small", style: { textAlign: "center", maxWidth: "none" } },
        isQueue ? t("The pipeline gives “same” a probability of {probability}. {count} to review.", { probability: probabilityText(current.probability), count: found.num }) : t("{labelled} of {all} labelled.", { labelled: found.num_labelled, all: found.num })));
  }

  async function answer(isSame) {
    if (!current || isBusy || !context.may("operator")) return;
    isBusy = true;
    const { first, second } = current;
    const part = ({ track, part: number }) => ({ track, part: number });
    try {
      const { correction } = await send("review", { first: part(first), second: part(second), is_same: isSame, purpose: isQueue ? "queue" : "audit" });
      last = correction;
      if (correction !== null) toast(isSame ? t("Same person: applied") : t("Different people: applied"), { action: { name: t("Undo (Z)"), run: undo } });
      await refresh();
    } catch (error) {
      toast(error.message, { bad: true });
      if (error.status === 404 || error.status === 409) skip();
    } finally {
      isBusy = false;
    }
  }

  async function undo() {
    if (last === null) return;
    const number = last;
    last = null;
    try {
      await waitUntilApplied(await get(`corrections/${number}`));
      await waitUntilApplied(await send(`corrections/${number}/undo`));
      toast(t("Undone. The question is asked again."));
      await refresh();
    } catch (error) {
      toast(error.message, { bad: true });
    }
  }

  function skip() {
    if (current) skipped.add(key(current));
    refresh();
  }

  const keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|TEXTAREA|SELECT/.test(event.target.tagName)) return;
    const act = { s: () => answer(true), d: () => answer(false), n: skip, z: undo }[event.key.toLowerCase()];
    if (act) { event.preventDefault(); act(); }
  };
  addEventListener("keydown", keys);
  context.listeners.add(async () => { if (!current) await refresh(); });
  await refresh();
  return () => removeEventListener("keydown", keys);
}

function done(found) {
  return h("div", { className: "empty" }, h("h2", {}, found.num_labelled ? t("All pairs are labelled.") : t("Nothing to review.")),
    h("p", {}, t("New uncertain sightings appear in the queue.")), h("p", {}, h("a", { href: "#/review" }, t("Open the queue"))));
}

function scores(found) {
  const tile = (name, estimate) => h("div", { className: "card tile" }, h("b", {}, estimate ? percent(estimate.value, 1) : "–"),
    h("span", {}, estimate ? t("{score}, 95 %: {low} – {high}", { score: name, low: percent(estimate.low, 1), high: percent(estimate.high, 1) }) : t("{score}: label more pairs", { score: name })));
  return h("div", { className: "tiles", style: { marginBottom: "16px" } }, tile(t("precision"), found.precision), tile(t("recall"), found.recall),
    h("div", { className: "card tile" }, h("b", {}, `${found.num_labelled} / ${found.num}`), h("span", {}, t("pairs labelled"))));
}

function calibration(bins) {
  if (!bins.some((bin) => bin.num)) return null;
  return h("section", { className: "card", style: { marginTop: "16px" } }, h("h2", {}, t("Calibration")),
    h("p", { className: "soft small" }, t("Share of the answer “same”, by the pipeline’s probability.")),
    h("table", {}, h("thead", {}, h("tr", {}, [t("pipeline"), t("operators"), "", t("answers")].map((title) => h("th", {}, title)))),
      h("tbody", {}, bins.filter((bin) => bin.num).map((bin) => h("tr", {}, h("td", {}, `${percent(bin.low)} – ${percent(bin.high)}`), h("td", {}, percent(bin.num_same / bin.num)),
        h("td", {}, h("div", { className: "meter" }, h("i", { style: width(bin.num_same / bin.num) }))), h("td", {}, bin.num))))));
}
