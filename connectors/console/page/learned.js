// What the run has learned of the site: proposals with their evidence, to accept or to reject.

import { get, send } from "./api.js";
import { h, put, toast } from "./dom.js";
import { decimal, inSeconds, percent, signed } from "./format.js";
import { t, told } from "./language.js";

const WHAT = {
  offset: t("Offset of the clock"), overlap: t("Both see one person at once"), no_overlap: t("Never see one person at once"), transit: t("Transit time"),
};

// Calls `follow` with the promise of what is saved when a proposal is accepted; that says what goes wrong.
export function learnedCard(follow) {
  const body = h("div", { className: "stack" });

  async function refresh() {
    const found = await get("learned").catch(() => []);
    put(body, h("p", { className: "soft small" }, t("What the people whom the run follows have shown of the site. Nothing holds before you accept it.")),
      found.length ? h("div", { className: "scroll" }, h("table", {},
        h("thead", {}, h("tr", {}, [t("cameras"), t("what"), t("proposed"), t("now"), t("evidence"), ""].map((title) => h("th", {}, title)))),
        h("tbody", {}, found.map(row))))
        : h("p", { className: "soft" }, t("Nothing is proposed: too few people have shown anything that the site does not say.")));
  }

  function row(each) {
    return h("tr", { "data-learned": each.key }, h("td", {}, each.cameras.join(" – ")), h("td", {}, WHAT[each.kind]),
      h("td", { className: "num" }, value(each.kind, each.value)), h("td", { className: "num" }, value(each.kind, each.now)), h("td", { className: "small" }, evidence(each)),
      h("td", {}, h("div", { className: "bar" }, h("button", { className: "main", "data-key": `accept ${each.key}`, onclick: ({ target }) => accept(each.key, target) }, t("Accept")),
        h("button", { "data-key": `reject ${each.key}`, onclick: () => reject(each.key) }, t("Reject")))));
  }

  // A live camera with another offset is opened again first, which takes a while.
  async function accept(key, button) {
    button.disabled = true;
    await follow(send(`learned/accept?${new URLSearchParams({ key })}`, {}));
    button.disabled = false;
  }

  async function reject(key) {
    try {
      await send(`learned/reject?${new URLSearchParams({ key })}`, {});
      toast(t("Rejected. It comes back when the evidence changes."));
    } catch (error) {
      toast(error.message, { bad: true });
    }
    await refresh();
  }

  refresh();
  return { element: h("section", { className: "card" }, h("h2", {}, t("Learned")), body), refresh };
}

// What became of the cameras whose offset was saved, in words; empty without one.
export function ofCameras(cameras) {
  return Object.entries(cameras).map(([camera, state]) => (state === "applied" ? t("Camera {camera} is read with its new offset.", { camera })
    : state === "next_start" ? t("Camera {camera} has its new offset from the next start of the run on.", { camera }) : `${camera}: ${told(state)}`)).join(" ");
}

function value(kind, found) {
  if (found === null) return "–";
  if (kind === "offset") return t("{number} s", { number: signed(found) });
  const least = t("at least {time}", { time: inSeconds(found.min_s) });
  return found.typical_s ? `${inSeconds(found.typical_s)}, ${least}` : least;
}

function evidence({ kind, num_people: people, num_at_once: atOnce, error_s: error, at_most: share, quantiles_s: times }) {
  if (kind === "offset") return t("error {time}, {count} links", { time: inSeconds(error), count: people });
  if (kind === "overlap") return t("{number} of {count} people were seen by both at once", { number: atOnce, count: people });
  if (kind === "no_overlap") return t("none of {count} people was seen by both at once; at most {share} are", { count: people, share: percent(share, 1) });
  return t("{count} transits, 90 % of them took {least} to {most}; at most {share} of people are faster", { count: people, least: decimal(times[0]), most: inSeconds(times[2]), share: percent(share, 1) });
}
