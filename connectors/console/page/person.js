// One person: pictures, where they went, why the pipeline decided so, and corrections.

import { get, send, waitUntilApplied } from "./api.js";
import { addAction, addButtons, dialog, h, put, toast } from "./dom.js";
import { colour, decimal, duration, eventTime, inSeconds, outcome, personLink, personTitle, probabilityText, signed, thumbnail, wallClock } from "./format.js";
import { t, tn, told, tx } from "./language.js";
import { unlinked } from "./similarity.js";
import { map } from "./map.js";
import { recorderLink } from "./other_recorder.js";
import { play } from "./player.js";
import { segments, timeline } from "./timeline.js";
import { CORRECTIONS, REASONS } from "./words.js";

const MAX_BEST = 8;
const REVIEW = "review"; // as which re-clustering signs its corrections

export async function page(root, context, [asked]) {
  const chosen = new Map();
  let person = null;

  async function refresh() {
    const [found, site, corrections] = await Promise.all([get(`people/${asked}`), get("site"), get("corrections")]);
    person = found;
    draw(site, corrections);
  }

  // Submits a correction, waits until the pipeline has applied it, and offers to undo it.
  async function apply(kind, person_ids, { parts = [], name = "", reason = "", force = false } = {}) {
    const submitted = await send("corrections", { kind, person_ids, parts: parts.map(({ track, part }) => ({ track, part })), name, reason, force });
    const done = await waitUntilApplied(submitted);
    chosen.clear();
    const action = done.can_undo ? { name: t("Undo"), run: () => undo(done.number) } : null;
    const warning = (done.outcome || "").split("; warning: ")[1];
    const correction = CORRECTIONS[kind];
    await refresh(); // a merge may have kept the other number
    const sentence = applied(kind, person.person, person_ids.find((each) => each !== person.person));
    toast(warning ? t("{done} Warning: {warning}", { done: sentence, warning: told(warning) }) : done.state === "done" ? sentence : t("Submitted: {correction}. The pipeline has not applied it yet.", { correction }), { action, bad: Boolean(warning) });
  }

  async function correct(...correction) {
    try {
      await apply(...correction);
    } catch (error) {
      toast(error.message, { bad: true });
    }
  }

  async function undo(number) {
    try {
      await waitUntilApplied(await send(`corrections/${number}/undo`));
      toast(t("Undone"));
      await refresh();
    } catch (error) {
      toast(error.message, { bad: true });
    }
  }

  function draw(site, corrections) {
    const id = person.person;
    const found = segments(person.sightings);
    const best = person.sightings.filter((each) => each.quality !== null).sort((one, two) => two.quality - one.quality);
    const shown = spread(best).slice(0, MAX_BEST).sort((one, two) => one.first_at - two.first_at);
    const mayCorrect = context.may("operator");
    const { css, ink } = colour(id);
    put(root,
      h("div", { className: "head" },
        h("span", { className: "person", style: { background: css, color: ink, fontSize: "1.5rem", padding: "4px 16px" } }, String(id)),
        h("div", { className: "grow" },
          h("h1", {}, person.name || personTitle(id)),
          h("p", { className: "num" }, [`${eventTime(person.first_seen_at)} – ${eventTime(person.last_seen_at)}`, person.cameras.join(", "), tn("{count} sighting", "{count} sightings", person.num_sightings)].join(" · "),
            person.asked_for === id ? null : ` · ${t("merged with number {person}", { person: person.asked_for })}`)),
        h("button", { className: "main", "data-key": "play", onclick: () => play(t("The journey of person {person}", { person: id }), person.sightings, mayCorrect ? `/api/people/${id}/journey.mp4` : null) }, t("Play journey")),
        context.site.has_recording && found.length ? h("a", { className: "button", href: `#/recordings?${new URLSearchParams({ person: id, follow: 1, at: found[0].from })}`, "data-key": "watch" }, t("Watch recording")) : null,
        mayCorrect ? h("div", { className: "bar" },
          h("button", { "data-key": "merge", onclick: merge }, t("Merge with…")),
          h("button", { "data-key": "name", onclick: name }, person.name ? t("Rename") : t("Add to watch-list")),
          h("button", { "data-key": "confirm", onclick: () => correct("confirm", [id], { reason: "all sightings" }) }, t("Confirm all")),
          shown.length ? h("a", { className: "button", href: searchAddress(best[0]), "data-key": "search" }, t("Search by picture")) : null,
          h("a", { className: "button", href: `/api/people/${id}/export.zip`, download: "" }, t("Export")),
          h("button", { className: "danger", "data-key": "erase", onclick: erase }, t("Erase"))) : null),
      h("div", { className: "stack" },
        shown.length ? h("div", { className: "pictures" }, shown.map((each) => thumbnail(each, whereWhen(each)))) : null,
        h("div", { className: "two" },
          h("div", { className: "stack" },
            h("section", { className: "card" }, h("h2", {}, t("When and where")), timeline(id, found, jump)),
            person.candidates.length ? h("section", { className: "card" }, h("h2", {}, t("May be the same as")),
              h("p", { className: "soft small" }, t("Runner-up candidates of the pipeline, the most probable first.")),
              h("div", { className: "people few" }, person.candidates.map((each) => h("a", { href: `#/person/${each.person}` },
                thumbnail(each.picture, personTitle(each.person)),
                h("div", { className: "details" }, h("div", { className: "bar" }, unlinked(personLink(each.person)), h("b", { className: "num" }, probabilityText(each.probability)))))))) : null),
          h("section", { className: "card" }, h("h2", {}, t("Path")), map(id, person.sightings, found, site))),
        h("section", { className: "card" },
          h("h2", {}, t("Sightings")),
          mayCorrect ? h("p", { className: "soft small" }, t("Select a picture to see why it is here. Tick pictures of another person to split them off.")) : null,
          h("div", { className: "segments" }, found.map((segment) => drawSegment(segment, mayCorrect))), choice()),
        history(corrections)));
  }

  function drawSegment(segment, mayCorrect) {
    return h("div", { className: "segment", "data-segment": `${segment.track} ${segment.parts[0].part}` },
      h("div", { className: "title" }, h("h3", {}, segment.camera), h("span", { className: "soft num" }, `${eventTime(segment.from)} – ${eventTime(segment.until)} · ${duration(segment.until - segment.from)}`),
        context.site.has_recording ? h("a", { href: `#/recordings?${new URLSearchParams({ person: person.person, at: segment.from })}` }, t("Watch")) : null,
        recorderLink(context, segment.camera, segment.from, `recorder ${segment.track}`),
        mayCorrect ? h("button", { className: "plain", "data-key": `tick ${segment.track} ${segment.parts[0].part}`, onclick: () => tickAll(segment) }, t("Tick all")) : null),
      h("div", { className: "parts" }, segment.parts.map((each) => drawPart(each, mayCorrect))));
  }

  function drawPart(each, mayCorrect) {
    const key = `${each.track} ${each.part}`;
    const box = h("div", { className: chosen.has(key) ? "part chosen" : "part" },
      h("button", { "data-key": `why ${key}`, "aria-label": t("Why: {sighting}", { sighting: whereWhen(each) }), onclick: () => why(each) }, thumbnail(each.quality === null ? null : each, "")),
      h("span", { className: "probability num" }, each.person_then !== each.person ? t("corrected") : each.outcome === "new" ? t("new") : probabilityText(each.probability)));
    if (mayCorrect) {
      box.append(h("input", {
        type: "checkbox", checked: chosen.has(key), "aria-label": whereWhen(each), "data-part": key,
        onchange: (event) => {
          if (event.target.checked) chosen.set(key, each);
          else chosen.delete(key);
          box.classList.toggle("chosen", event.target.checked);
          root.querySelector(".chosen-bar").replaceWith(choice());
        },
      }));
    }
    return box;
  }

  function tickAll(segment) {
    for (const each of segment.parts) chosen.set(`${each.track} ${each.part}`, each);
    refresh();
  }

  function choice() {
    const parts = [...chosen.values()];
    return h("div", { className: `card bar sticky chosen-bar ${parts.length ? "" : "hidden"}` },
      h("b", {}, t("{count} ticked", { count: parts.length })),
      h("button", { className: "main", onclick: () => correct("split", [person.person], { parts, reason: "another person" }) }, t("Split off as another person")),
      h("button", { onclick: () => correct("confirm", [person.person], { parts, reason: "checked" }) }, t("Confirm")),
      h("button", { onclick: () => { chosen.clear(); refresh(); } }, t("Untick")));
  }

  function jump(segment) {
    const target = root.querySelector(`[data-segment="${CSS.escape(`${segment.track} ${segment.parts[0].part}`)}"]`);
    target?.scrollIntoView({ block: "center" });
    target?.querySelector("button")?.focus();
  }

  async function why(each) {
    const found = await get("why", { track: each.track, part: each.part });
    const figure = (picture, title, text) => h("figure", {}, thumbnail(picture, title), h("figcaption", {}, h("b", {}, title), h("br"), text));
    const box = dialog(t("Why this person?"),
      h("div", { className: "why" },
        figure(found.quality === null ? null : found, t("This sighting"), `${found.camera}, ${eventTime(found.first_at)}`),
        figure(found.person_picture, personTitle(found.person), t("another picture of this person")),
        found.runner_up === null || found.runner_up === found.person ? null : figure(found.runner_up_picture, personTitle(found.runner_up), t("the runner-up"))),
      h("p", {}, outcome(found.outcome), " ", t("Probability: {probability}.", { probability: probabilityText(found.probability) }),
        found.person_then === found.person ? null : ` ${t("The pipeline first gave it person {person}; a correction changed that.", { person: found.person_then })}`),
      found.evidence ? evidence(found.evidence) : null,
      found.linked_by ? h("div", {}, h("h3", {}, t("The decision behind it")),
        h("p", {}, tx("The track goes on without a break since {time}. Then it was decided: {outcome} Probability: {probability}.", { time: eventTime(found.linked_by.first_at), outcome: outcome(found.linked_by.outcome), probability: probabilityText(found.linked_by.probability) }),
          found.linked_by.runner_up ? [" ", tx("Runner-up: {person}", { person: personLink(found.linked_by.runner_up) })] : null),
        found.linked_by.evidence ? evidence(found.linked_by.evidence) : null,
        found.linked_by.gates.length ? h("ul", { className: "gates" }, found.linked_by.gates.map((gate) => h("li", {}, told(gate)))) : null,
        h("button", { className: "plain", onclick: () => { box.close(); why(found.linked_by); } }, t("Show that sighting"))) : null,
      found.gates.length ? h("ul", { className: "gates" }, found.gates.map((gate) => h("li", {}, told(gate)))) : null);
    const parts = [each];
    addButtons(box, h("button", { onclick: () => { box.close(); play(`${found.camera}, ${eventTime(found.first_at)}`, [each]); } }, t("Play")), found.quality === null ? null : h("a", { className: "button", href: searchAddress(each), onclick: () => box.close() }, t("Search by picture")), ...(context.may("operator") ? [
      h("button", { onclick: () => { box.close(); correct("reject", [person.person], { parts, reason: "not this person" }); } }, t("Not this person")),
      h("button", { className: "main", onclick: () => { box.close(); correct("confirm", [person.person], { parts, reason: "checked" }); } }, t("Confirm")),
    ] : []));
  }

  async function merge() {
    const number = h("input", { type: "number", min: 1, required: true, "aria-label": t("Person number"), style: { width: "9em" } });
    const preview = h("div", { className: "bar" });
    const warning = h("p", { className: "note hidden", role: "alert" });
    let isTogether = false;
    number.oninput = async () => {
      const isOther = /^[1-9]\d*$/.test(number.value) && Number(number.value) !== person.person;
      const { num, text } = isOther ? await get("corrections/together", { one: person.person, two: number.value }).catch(() => ({ num: 0 })) : { num: 0 };
      isTogether = num > 0;
      warning.classList.toggle("hidden", !isTogether);
      put(warning, isTogether ? t("Two people? They {were}.", { were: told(text) }) : "");
      put(button, isTogether ? t("Merge all the same") : t("Merge"));
      const people = isOther ? await get(`people/${number.value}/preview`).then((found) => [found], () => []) : [];
      put(preview, people.map((each) => h("div", { style: { height: "180px" } }, thumbnail(each.picture, personTitle(each.person)))));
      for (const image of preview.querySelectorAll(".thumbnail")) image.style.height = "180px";
    };
    const box = dialog(t("Merge person {person} with", { person: person.person }),
      h("p", { className: "soft" }, t("All sightings of the other person become sightings of person {person}. You can undo this.", { person: person.person })), number, warning, preview,
      person.candidates.length ? h("div", { className: "bar" }, t("Candidates:"), person.candidates.map((each) => h("button", { onclick: () => { number.value = each.person; number.oninput(); } }, `${each.person} (${probabilityText(each.probability)})`))) : null);
    const button = addAction(box, t("Merge"), async () => {
      const other = Number(number.value);
      if (!Number.isInteger(other) || other < 1) throw new Error(t("Expected the number of a person, such as 12."));
      if (other === person.person) throw new Error(t("This is person {person}. Expected the number of another person.", { person: other }));
      await apply("merge", [person.person, other], { reason: "the same person", force: isTogether });
    });
  }

  function name() {
    const field = h("input", { maxLength: 100, value: person.name, "aria-label": t("Name") });
    const box = dialog(t("Add to the watch-list"), h("p", { className: "soft" }, t("The watch-list rule reports where this person appears. An empty name removes the person from the list. The page Watch-list has a date of expiry and who is told.")), field);
    addAction(box, t("Save"), () => apply("name", [person.person], { name: field.value.trim() }));
  }

  async function erase() {
    const reason = h("input", { maxLength: 500, "aria-label": t("Reason"), placeholder: t("reason, for the audit") });
    const number = h("input", { type: "number", min: 1 });
    const goes = await get(`people/${person.person}/erase`).catch((error) => { toast(error.message, { bad: true }); });
    if (!goes) return;
    const button = h("button", { className: "danger", disabled: true }, t("Erase permanently"));
    number.oninput = () => { button.disabled = Number(number.value) !== person.person; };
    const box = dialog(t("Erase person {person}?", { person: person.person }),
      h("p", {}, t("This deletes {sightings}, {pictures}, {alerts}, the name and the notes of this person, and their lines in the files of the run. It cannot be undone.", {
        sightings: tn("{count} sighting", "{count} sightings", goes.sightings), pictures: tn("{count} picture", "{count} pictures", goes.pictures), alerts: tn("{count} alert", "{count} alerts", goes.alerts) })),
      goes.enrolled ? h("p", {}, tn("It also deletes {count} picture of the enrolment.", "It also deletes {count} pictures of the enrolment.", goes.enrolled)) : null,
      goes.films.length ? h("p", {}, t("The films {films} are written again from the footage, with the person covered wherever they were tracked. The footage itself stays as it is.", { films: goes.films.join(", ") })) : null,
      goes.video_s ? h("p", {}, t("It also deletes {duration} of recorded video, with everybody else who is in it.", { duration: duration(goes.video_s) })) : null,
      h("label", {}, t("Type {person} to confirm", { person: person.person }), number), reason);
    addButtons(box, button);
    button.onclick = async () => {
      box.close();
      context.listeners.clear(); // the person is going: what is shown from here on is the erasure
      put(root, erasing(person.person));
      try {
        put(root, erased(await send(`people/${person.person}/erase`, { number: person.person, reason: reason.value })));
      } catch (error) {
        put(root, h("div", { className: "card stack", "data-proof": "unknown", role: "alert" },
          h("h1", {}, t("Person {person} is not erased yet", { person: person.person })), h("p", {}, error.message), h("p", {}, h("a", { href: "#/people" }, t("Back to all people")))));
      }
    };
  }

  function history(corrections) {
    const mine = corrections.filter((each) => each.can_undo && each.person_ids.includes(person.person));
    if (!person.corrections.length) return null;
    return h("section", { className: "card" }, h("h2", {}, t("Corrections")), h("div", { className: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, [t("correction"), t("people"), t("by"), t("reason"), t("when")].map((title) => h("th", {}, title)))),
      h("tbody", {}, person.corrections.slice(0, 40).map((each) => h("tr", {},
        h("td", {}, CORRECTIONS[each.kind] ?? each.kind), h("td", {}, each.person_ids.join(", "), each.num_parts ? ` (${tn("{count} sighting", "{count} sightings", each.num_parts)})` : ""),
        h("td", {}, author(each.by)), h("td", {}, each.by === REVIEW ? told(each.reason) : REASONS[each.reason] ?? each.reason), h("td", { className: "num" }, eventTime(each.at))))))),
    context.may("operator") && mine.length ? h("div", { className: "bar" }, mine.slice(0, 3).map((each) => h("button", { "data-undo": each.number, onclick: () => undo(each.number) },
      t("Undo: {correction} {people}, {time}", { correction: CORRECTIONS[each.kind] ?? each.kind, people: each.person_ids.join(", "), time: wallClock(each.at) })))) : null);
  }

  context.listeners.add(async () => {
    // A refresh would lose an open dialog or ticked pictures.
    if (!document.querySelector("dialog[open]") && chosen.size === 0) await refresh();
  });
  await refresh();
}

function author(by) {
  return by === REVIEW ? t("the pipeline") : by;
}

function searchAddress({ track, part }) {
  return `#/people/similar/${encodeURIComponent(track)}/${part}`;
}

function whereWhen({ camera, first_at: at }) {
  return t("{camera} at {time}", { camera, time: eventTime(at) });
}

// The best picture of each track first, then the second best of each, and so on.
function spread(best) {
  const seen = new Map();
  return best.map((each) => {
    const rank = seen.get(each.track) ?? 0;
    seen.set(each.track, rank + 1);
    return { each, rank };
  }).sort((one, two) => one.rank - two.rank).map(({ each }) => each);
}

// Log-likelihood ratios for and against the person, natural logarithm: 0 is neutral, 3 is 20 to 1.
function evidence({ looks: appearance, way: motion, needed }) {
  if (appearance === undefined) return null;
  const row = (name, value, about) => h("tr", {}, h("td", {}, name), h("td", { className: "r" }, signed(value)), h("td", { className: "soft" }, about));
  return h("table", { className: "evidence" }, h("tbody", {}, row(t("appearance"), appearance, ratio(appearance)), row(t("place and time"), motion ?? 0, ratio(motion ?? 0)), row(t("needed"), needed ?? 0, t("to link two track segments at the allowed error rate"))));
}

function ratio(value) {
  if (Math.abs(value) < 0.1) return t("neutral");
  const odds = Math.exp(Math.abs(value));
  const times = decimal(odds, odds < 10 ? 1 : 0);
  return value > 0 ? t("{times} to 1 for the same person", { times }) : t("{times} to 1 against the same person", { times });
}

function erasing(person) {
  const began = Date.now();
  const passed = h("p", { className: "soft num" }, inSeconds(0, 0));
  const timer = setInterval(() => {
    if (passed.isConnected) put(passed, inSeconds((Date.now() - began) / 1000, 0));
    else clearInterval(timer);
  }, 1000);
  return h("div", { className: "card stack", "data-proof": "going", role: "status" },
    h("h1", {}, t("Erasing person {person}…", { person })),
    h("p", {}, t("Everything about this person is deleted, and then searched for in every file of the run. That may take a minute. It goes on if you leave this page; the audit has the result.")),
    h("progress", { "aria-label": t("Erasing person {person}…", { person }) }), passed);
}

// What a correction did, as a sentence.
function applied(kind, person, other) {
  switch (kind) {
    case "merge": return t("{other} is now shown as {person}.", { other, person });
    case "reject": return t("The sightings are taken from person {person}.", { person });
    case "split": return t("The sightings are now of a person of their own.");
    case "confirm": return t("The sightings are confirmed as person {person}.", { person });
    case "name": return t("The name of person {person} is saved.", { person });
    default: return t("The correction is applied.");
  }
}

function erased(proof) {
  const row = (what, before, after) => h("tr", {}, h("td", {}, what), h("td", { className: "r" }, before), h("td", { className: "r" }, after));
  const isDone = proof.state === "done";
  return h("div", { className: "card stack", "data-proof": proof.state },
    h("h1", {}, isDone ? t("Person {person} is erased", proof) : t("Person {person} is not erased yet", proof)),
    h("p", {}, isDone ? t("The table shows what was there before, and what a new search found.") : proof.outcome ? told(proof.outcome) : t("The pipeline has not applied the erasure yet.")),
    h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, ""), h("th", { className: "r" }, t("before")), h("th", { className: "r" }, t("now")))),
      h("tbody", {}, row(t("sightings"), proof.was_there.sightings, proof.is_left.sightings), row(t("pictures"), proof.was_there.pictures, proof.is_left.pictures), proof.was_there.video_s ? row(t("seconds of recorded video"), proof.was_there.video_s, proof.is_left.video_s) : null, row(t("rows in the ledger’s file"), proof.was_there.rows, proof.is_left.rows))),
    isDone ? h("p", { className: "small" }, t("The ledger says: {outcome}.", { outcome: told(proof.outcome) })) : null,
    h("p", { className: "soft small" }, t("Not touched: {what}.", { what: told(proof.not_touched) })),
    h("p", {}, h("a", { href: "#/people" }, t("Back to all people"))));
}
