// One person: pictures, the way they went, why the line thinks so, and the power to correct it.

import { get, ordered, send } from "./api.js";
import { acts, dialog, h, put, toast } from "./dom.js";
import { clock, colour, lasting, outcome, shot, sure, tag, wallClock } from "./format.js";
import { inert } from "./likeness.js";
import { map, stays, timeline } from "./timeline.js";

const MAX_BEST = 8;
const WORDS = { merged: "merged", split: "split", confirmed: "confirmed", named: "named", erased: "erased" };

export async function page(root, context, [asked]) {
  const chosen = new Map();
  let person = null;

  async function refresh() {
    const [found, site, orders] = await Promise.all([get(`people/${asked}`), get("site"), get("orders")]);
    person = found;
    draw(site, orders);
  }

  // Places an order, waits for the line to carry it out, and offers to undo it.
  async function order(kind, person_ids, { parts = [], name = "", reason = "" } = {}) {
    try {
      const placed = await send("orders", { kind, person_ids, parts: parts.map(({ track, part }) => ({ track, part })), name, reason });
      const done = await ordered(placed);
      chosen.clear();
      const action = done.can_undo ? { name: "Undo", run: () => undo(done.number) } : null;
      toast(done.state === "done" ? `Done: ${kind}` : `Ordered: ${kind}. The line has not carried it out yet.`, { action });
      await refresh();
    } catch (error) {
      toast(error.message, { bad: true });
    }
  }

  async function undo(number) {
    try {
      await ordered(await send(`orders/${number}/undo`));
      toast("Undone");
      await refresh();
    } catch (error) {
      toast(error.message, { bad: true });
    }
  }

  function draw(site, orders) {
    const id = person.person;
    const found = stays(person.sightings);
    const best = person.sightings.filter((each) => each.quality !== null).sort((one, two) => two.quality - one.quality);
    const shown = spread(best).slice(0, MAX_BEST).sort((one, two) => one.first_at - two.first_at);
    const mayCorrect = context.may("operator");
    const { css, ink } = colour(id);
    put(root,
      h("div", { className: "head" },
        h("span", { className: "person", style: { background: css, color: ink, fontSize: "1.5rem", padding: "4px 16px" } }, String(id)),
        h("div", { className: "grow" },
          h("h1", {}, person.name || `Person ${id}`),
          h("p", { className: "num" }, `${clock(person.first_seen_at)} – ${clock(person.last_seen_at)} · ${person.cameras.join(", ")} · ${person.num_sightings} sightings`,
            person.asked_for === id ? null : ` · was number ${person.asked_for}`)),
        mayCorrect ? h("div", { className: "bar" },
          h("button", { "data-key": "merge", onclick: merge }, "Merge with…"),
          h("button", { "data-key": "name", onclick: name }, person.name ? "Rename" : "Put on watch-list"),
          h("button", { "data-key": "confirm", onclick: () => order("confirm", [id], { reason: "all of it" }) }, "Confirm all"),
          shown.length ? h("a", { className: "button", href: like(best[0]), "data-key": "like" }, "Who looks like this") : null,
          h("a", { className: "button", href: `/api/people/${id}/export.zip`, download: "" }, "Export"),
          h("button", { className: "danger", "data-key": "erase", onclick: erase }, "Erase")) : null),
      h("div", { className: "stack" },
        shown.length ? h("div", { className: "strip" }, shown.map((each) => shot(each, `${each.camera} at ${clock(each.first_at)}`))) : null,
        h("div", { className: "two" },
          h("div", { className: "stack" },
            h("section", { className: "card" }, h("h2", {}, "When and where"), timeline(id, found, jump)),
            person.likely.length ? h("section", { className: "card" }, h("h2", {}, "May be the same as"),
              h("p", { className: "soft small" }, "By the line’s own doubt, the likeliest first."),
              h("div", { className: "people few" }, person.likely.map((each) => h("a", { href: `#/person/${each.person}` },
                shot(each.picture, `Person ${each.person}`),
                h("div", { className: "about" }, h("div", { className: "bar" }, inert(tag(each.person)), h("b", { className: "num" }, sure(each.probability)))))))) : null),
          h("section", { className: "card" }, h("h2", {}, "The way"), map(id, person.sightings, found, site))),
        h("section", { className: "card" },
          h("h2", {}, "Sightings"),
          mayCorrect ? h("p", { className: "soft small" }, "Choose a picture to see why. Tick pictures that show somebody else, and split them off.") : null,
          h("div", { className: "stays" }, found.map((stay) => drawStay(stay, mayCorrect))), choice()),
        history(orders)));
  }

  function drawStay(stay, mayCorrect) {
    return h("div", { className: "stay", "data-stay": `${stay.track} ${stay.parts[0].part}` },
      h("div", { className: "title" }, h("h3", {}, stay.camera), h("span", { className: "soft num" }, `${clock(stay.from)} – ${clock(stay.until)} · ${lasting(stay.until - stay.from)}`),
        mayCorrect ? h("button", { className: "plain", "data-key": `tick ${stay.track} ${stay.parts[0].part}`, onclick: () => tickAll(stay) }, "Tick all") : null),
      h("div", { className: "parts" }, stay.parts.map((each) => drawPart(each, mayCorrect))));
  }

  function drawPart(each, mayCorrect) {
    const key = `${each.track} ${each.part}`;
    const box = h("div", { className: chosen.has(key) ? "part chosen" : "part" },
      h("button", { "data-key": `why ${key}`, "aria-label": `Why: ${each.camera} at ${clock(each.first_at)}`, onclick: () => why(each) }, shot(each.quality === null ? null : each, "")),
      h("span", { className: "sure num" }, each.person_then !== each.person ? "corrected" : each.outcome === "new" ? "new" : sure(each.probability)));
    if (mayCorrect) {
      box.append(h("input", {
        type: "checkbox", checked: chosen.has(key), "aria-label": `${each.camera} at ${clock(each.first_at)}`, "data-part": key,
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

  function tickAll(stay) {
    for (const each of stay.parts) chosen.set(`${each.track} ${each.part}`, each);
    refresh();
  }

  function choice() {
    const parts = [...chosen.values()];
    return h("div", { className: `card bar sticky chosen-bar ${parts.length ? "" : "hidden"}` },
      h("b", {}, `${parts.length} ticked`),
      h("button", { className: "main", onclick: () => order("split", [person.person], { parts, reason: "somebody else" }) }, "Split off as somebody else"),
      h("button", { onclick: () => order("confirm", [person.person], { parts, reason: "looked at" }) }, "Confirm"),
      h("button", { onclick: () => { chosen.clear(); refresh(); } }, "Untick"));
  }

  function jump(stay) {
    const target = root.querySelector(`[data-stay="${CSS.escape(`${stay.track} ${stay.parts[0].part}`)}"]`);
    target?.scrollIntoView({ block: "center" });
    target?.querySelector("button")?.focus();
  }

  async function why(each) {
    const found = await get("why", { track: each.track, part: each.part });
    const figure = (picture, title, text) => h("figure", {}, shot(picture, title), h("figcaption", {}, h("b", {}, title), h("br"), text));
    const box = dialog("Why this number?",
      h("div", { className: "why" },
        figure(found.quality === null ? null : found, "This sighting", `${found.camera}, ${clock(found.first_at)}`),
        figure(found.person_picture, `Person ${found.person}`, "another picture of theirs"),
        found.runner_up === null || found.runner_up === found.person ? null : figure(found.runner_up_picture, `Person ${found.runner_up}`, "the best other candidate")),
      h("p", {}, outcome(found.outcome), ` The line was ${sure(found.probability)} sure.`,
        found.person_then === found.person ? null : ` At first it was person ${found.person_then}; a correction changed that.`),
      found.evidence ? weighed(found.evidence) : null,
      found.gates.length ? h("ul", { className: "gates" }, found.gates.map((gate) => h("li", {}, gate))) : null);
    const parts = [each];
    acts(box, found.quality === null ? null : h("a", { className: "button", href: like(each), onclick: () => box.close() }, "Who looks like this"), ...(context.may("operator") ? [
      h("button", { onclick: () => { box.close(); order("reject", [person.person], { parts, reason: "not this person" }); } }, "Not this person"),
      h("button", { className: "main", onclick: () => { box.close(); order("confirm", [person.person], { parts, reason: "looked at" }); } }, "It is them"),
    ] : []));
  }

  async function merge() {
    const number = h("input", { type: "number", min: 1, required: true, "aria-label": "Person number", style: { width: "9em" } });
    const preview = h("div", { className: "bar" });
    number.oninput = async () => {
      const { people } = number.value ? await get("people", { number: number.value }).catch(() => ({ people: [] })) : { people: [] };
      put(preview, people.map((each) => h("div", { style: { height: "180px" } }, shot(each.picture, `Person ${each.person}`))));
      for (const image of preview.querySelectorAll(".shot")) image.style.height = "180px";
    };
    const box = dialog(`Merge person ${person.person} with`,
      h("p", { className: "soft" }, `Everything of that person becomes person ${person.person}. It can be undone.`), number, preview,
      person.likely.length ? h("div", { className: "bar" }, "SimilarPerson: ", person.likely.map((each) => h("button", { onclick: () => { number.value = each.person; number.oninput(); } }, `${each.person} (${sure(each.probability)})`))) : null);
    acts(box, h("button", { className: "main", onclick: () => {
      if (!Number(number.value)) return;
      box.close();
      order("merge", [person.person, Number(number.value)], { reason: "the same person" });
    } }, "Merge"));
  }

  function name() {
    const field = h("input", { maxLength: 100, value: person.name, "aria-label": "Name" });
    const box = dialog("Put on the watch-list", h("p", { className: "soft" }, "The watch-list rule reports where this person appears. An empty name takes them off."), field);
    acts(box, h("button", { className: "main", onclick: () => { box.close(); order("name", [person.person], { name: field.value.trim() }); } }, "Save"));
  }

  function erase() {
    const reason = h("input", { maxLength: 500, "aria-label": "Why", placeholder: "why, for the audit" });
    const box = dialog(`Erase person ${person.person}?`,
      h("p", {}, "Sightings, pictures, name and notes are deleted for good. This cannot be undone."), reason);
    acts(box, h("button", { className: "danger", onclick: async () => {
      box.close();
      try {
        const proof = await send(`people/${person.person}/erase`, { reason: reason.value });
        context.listeners.clear();
        put(root, erased(proof));
      } catch (error) {
        toast(error.message, { bad: true });
      }
    } }, "Erase for good"));
  }

  function history(orders) {
    const mine = orders.filter((each) => each.can_undo && each.person_ids.includes(person.person));
    if (!person.corrections.length) return null;
    return h("section", { className: "card" }, h("h2", {}, "Corrections"), h("div", { className: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, ["what", "people", "by", "why", "when"].map((title) => h("th", {}, title)))),
      h("tbody", {}, person.corrections.slice(0, 40).map((each) => h("tr", {},
        h("td", {}, WORDS[each.kind] ?? each.kind), h("td", {}, each.person_ids.join(", "), each.num_parts ? ` (${each.num_parts} sightings)` : ""),
        h("td", {}, each.by), h("td", {}, each.reason), h("td", { className: "num" }, clock(each.at))))))),
    context.may("operator") && mine.length ? h("div", { className: "bar" }, mine.slice(0, 3).map((each) => h("button", { "data-undo": each.number, onclick: () => undo(each.number) },
      `Undo ${each.kind} of ${each.person_ids.join(" and ")}, ${wallClock(each.at)}`))) : null);
  }

  context.listeners.add(async () => {
    // Who is choosing pictures is not to lose them.
    if (!document.querySelector("dialog[open]") && chosen.size === 0) await refresh();
  });
  await refresh();
}

function like({ track, part }) {
  return `#/people/like/${encodeURIComponent(track)}/${part}`;
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

// What spoke for the number and against, in natural log-odds: 0 says nothing, 3 is 20 to 1.
function weighed({ looks, way, needed }) {
  if (looks === undefined) return null;
  const row = (name, value, about) => h("tr", {}, h("td", {}, name), h("td", { className: "r" }, value > 0 ? `+${value.toFixed(1)}` : value.toFixed(1)), h("td", { className: "soft" }, about));
  return h("table", { className: "weighed" }, h("tbody", {}, row("looks", looks, odds(looks)), row("way and time", way ?? 0, odds(way ?? 0)), row("needed", needed ?? 0, "to link two pieces at the allowed rate of mistakes")));
}

function odds(value) {
  if (Math.abs(value) < 0.1) return "says nothing";
  const times = Math.exp(Math.abs(value));
  return `${times < 10 ? times.toFixed(1) : Math.round(times)} to 1 ${value > 0 ? "for" : "against"} the same person`;
}

function erased(proof) {
  const row = (what, before, after) => h("tr", {}, h("td", {}, what), h("td", { className: "r" }, before), h("td", { className: "r" }, after));
  const isDone = proof.state === "done";
  return h("div", { className: "card stack", "data-proof": proof.state },
    h("h1", {}, isDone ? `Person ${proof.person} is erased` : `Person ${proof.person} is not erased yet`),
    h("p", {}, isDone ? "This is what was there, and what was found when it was looked for again." : proof.outcome || "The line has not carried the order out yet."),
    h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, ""), h("th", { className: "r" }, "before"), h("th", { className: "r" }, "now"))),
      h("tbody", {}, row("sightings", proof.was_there.sightings, proof.is_left.sightings), row("pictures", proof.was_there.pictures, proof.is_left.pictures), row("rows in the ledger’s file", proof.was_there.rows, proof.is_left.rows))),
    isDone ? h("p", { className: "small" }, `The ledger says: ${proof.outcome}.`) : null,
    h("p", { className: "soft small" }, `Not touched: ${proof.not_touched}.`),
    h("p", {}, h("a", { href: "#/people" }, "Back to the people")));
}
