// The watch-list: who is looked for, until when and why. People come by pictures or by a sighting, also while the run goes on.

import { get, send, waitUntilApplied } from "./api.js";
import { h, put, toast } from "./dom.js";
import { eventTime, personLink, personTitle, thumbnail, wallClock } from "./format.js";
import { t, told } from "./language.js";
import { edit, enrol, remove } from "./watchlist_form.js";
import { SEVERITIES } from "./words.js";

export async function page(root, context) {
  const rows = h("div", { className: "people listed" });
  const who = h("p", { className: "soft small" });
  const mayEnrol = context.may("operator");
  put(root,
    h("div", { className: "head" },
      h("div", { className: "grow" }, h("h1", {}, t("Watch-list")), who),
      h("div", { className: "bar" }, mayEnrol ? h("button", { className: "main", "data-key": "enrol", onclick: () => enrol(found, give) }, t("Enrol a person…")) : null)),
    rows);
  let found = { people: [], told: {} };

  async function refresh() {
    found = await get("watchlist");
    const { info, warning, critical } = found.told;
    const sent = Object.entries({ critical, warning, info }).filter(([, sinks]) => sinks.length).map(([severity, sinks]) => t("{severity} to {sinks}", { severity: SEVERITIES[severity], sinks: sinks.join(", ") }));
    put(who, sent.length ? t("An alert follows when a camera sees one of them. It is shown on this page, and sent: {sent}.", { sent: sent.join("; ") }) : t("An alert follows when a camera sees one of them. It is shown on this page alone."));
    put(rows, found.people.length ? found.people.map(card) : h("div", { className: "empty" }, t("Nobody is on the watch-list.")));
  }

  // Submits a change, waits until the pipeline has applied it, and shows the list again.
  async function give(path, body, method, done) {
    const { outcome, state } = await waitUntilApplied(await send(path, body, method));
    const warning = (outcome || "").split("; warning: ")[1];
    const waits = state === "pending" ? ` ${t("The pipeline has not applied it yet.")}` : "";
    toast(warning ? `${done} ${t("Warning: {warning}", { warning: told(warning) })}` : `${done}${waits}`, { bad: Boolean(warning) });
    await refresh();
  }

  function card(each) {
    return h("article", { className: "card", "data-listed": each.person },
      each.pictures
        ? h("div", { className: "pictures" }, [...Array(each.pictures).keys()].map((number) => h("img", { className: "thumbnail", src: `/api/watchlist/${each.person}/${number}`, alt: t("Picture {number} of {name}", { number: number + 1, name: each.name }) })))
        : thumbnail(each.picture ?? null, personTitle(each.person)),
      h("div", { className: "details" },
        h("h2", {}, each.name),
        h("div", { className: "bar" }, personLink(each.person, each.name),
          each.is_fixed ? h("span", { className: "tag" }, t("from the configuration")) : h("span", { className: each.severity ? "tag info" : "tag" }, SEVERITIES[each.severity] ?? t("as the rule says")),
          each.expires_at ? h("span", { className: "tag warn" }, t("until {time}", { time: wallClock(each.expires_at) })) : null),
        each.is_fixed ? null : h("p", {}, each.last_seen_at === null ? t("Not seen so far") : t("Last seen {time}", { time: eventTime(each.last_seen_at) })),
        each.is_fixed ? null : h("p", {}, each.reason ? `${each.reason} – ` : "", `${each.by}${each.at ? `, ${wallClock(each.at)}` : ""}`),
        mayEnrol && !each.is_fixed ? h("div", { className: "bar" },
          h("button", { "data-key": `edit ${each.person}`, onclick: () => edit(each, found, give) }, t("Change…")),
          h("button", { className: "danger", "data-key": `remove ${each.person}`, onclick: () => remove(each, give) }, t("Take off…"))) : null));
  }

  context.listeners.add(async () => { if (!document.querySelector("dialog[open]")) await refresh(); });
  await refresh();
}
