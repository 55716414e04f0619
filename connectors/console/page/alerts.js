// Alerts, newest first: filter, acknowledge, comment, mute.

import { keep, shown as inAddress } from "./address.js";
import { isOpen } from "./alarm.js";
import { get, getList, send } from "./api.js";
import { addButtons, dialog, h, put, toast } from "./dom.js";
import { alertClip, play, playFilm } from "./player.js";
import { duration, eventTime, moment, parseTime, personLink, thumbnail, wallClock } from "./format.js";

const PAGE = 60;
const AT_ONCE = 200; // alerts in one request
const MUTES = [[900, "15 minutes"], [3600, "one hour"], [86400, "one day"]];

export async function page(root, context) {
  const filter = { rule: "", camera: "", state: "", since: "", until: "", key: "", ...inAddress() };
  let limit = PAGE;
  const list = h("div", { className: "stack", "aria-label": "Alerts" });
  const bar = h("div", { className: "bar" });
  const count = h("p", {});
  put(root, h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, "Alerts"), count), bar), list);

  const choice = (name, label, values) => h("label", {}, label, h("select", {
    "data-key": `filter ${name}`,
    onchange: (event) => change(name, event.target.value),
  }, h("option", { value: "" }, "all"), values.map((value) => h("option", { value, selected: value === filter[name] }, value))));

  const when = (name, label) => moment(label, filter[name], (value) => change(name, value), `filter ${name}`, context.isElapsed);

  function change(name, value) {
    filter[name] = value;
    limit = PAGE;
    keep(filter);
    refresh();
  }

  const sound = h("input", {
    type: "checkbox", checked: localStorage.getItem("sound") === "on",
    onchange: () => {
      localStorage.setItem("sound", sound.checked ? "on" : "off");
      if (sound.checked && globalThis.Notification?.permission === "default") Notification.requestPermission();
    },
  });

  async function refresh() {
    const found = await getList("alerts", { key: filter.key || null, rule: filter.rule, camera: filter.camera, state: filter.state, since: parseTime(filter.since), until: parseTime(filter.until) }, "alerts", limit);
    const shown = found.alerts;
    const waiting = shown.filter(isOpen);
    put(count, found.num ? `${found.num_open} open. ${shown.length} of ${found.num} shown, newest first.` : "There are no alerts.");
    put(bar, choice("rule", "Rule", found.rules), choice("camera", "Camera", context.site.cameras),
      when("since", "From"), when("until", "To"), choice("state", "State", ["raised", "amended", "acknowledged", "retracted"]), h("label", {}, "Sound, notices", sound),
      context.may("operator") && waiting.length ? h("button", { "data-key": "ack all", onclick: () => acknowledge(waiting.map((alert) => alert.key)) }, `Acknowledge all ${waiting.length} shown`) : null);
    const muted = Object.entries(found.muted);
    put(list,
      filter.key ? h("div", { className: "note" }, "One alert is shown, as its link says. ",
        h("button", { className: "plain", "data-key": "all alerts", onclick: () => change("key", "") }, "Show all")) : null,
      muted.map(([rule, until]) => h("div", { className: "note" }, `${rule} is muted until ${wallClock(until)}. `,
        context.may("operator") ? h("button", { className: "plain", onclick: () => act("alerts/mute", { rule, seconds: 0 }) }, "Unmute") : null)),
      shown.map((alert) => card(alert, alert.rule in found.muted)),
      shown.length < found.num ? h("button", { "data-key": "more", onclick: () => { limit += PAGE; refresh(); } }, "Show more") : null,
      shown.length ? null : h("div", { className: "empty" }, "No alert matches. New alerts appear here automatically."));
  }

  async function act(path, body) {
    try {
      await send(path, body);
      await refresh();
    } catch (error) {
      toast(error.message, { bad: true });
    }
  }

  function card(alert, isMuted) {
    const isRetracted = alert.state === "retracted";
    const isAcknowledged = alert.state === "acknowledged";
    const states = { raised: ["open", "bad"], amended: alert.ended_at ? ["ended", "warn"] : ["amended", "warn"], acknowledged: ["acknowledged", "good"], retracted: ["retracted", ""] };
    const [word, kind] = states[alert.state];
    return h("article", { className: `card alert ${alert.severity} ${isRetracted ? "retracted done" : isAcknowledged || isMuted ? "done" : ""}`, "data-alert": alert.key },
      thumbnail(alert.picture, `Person ${alert.person}`),
      h("div", {},
        h("p", { className: "message" }, alert.message),
        h("div", { className: "facts" }, personLink(alert.person), h("span", {}, alert.camera), h("time", { className: "num" }, eventTime(alert.raised_at)),
          h("span", {}, alert.rule), h("span", { className: `tag ${kind}` }, word),
          isMuted ? h("span", { className: "tag" }, "muted") : null,
          alert.count > 1 ? h("span", {}, `${alert.count} times`) : null),
        h("ul", { className: "comments" },
          alert.acknowledged ? h("li", { className: "soft" }, `Acknowledged by ${alert.acknowledged.by}, ${wallClock(alert.acknowledged.at)}`) : null,
          alert.comments.map((each) => h("li", {}, h("b", {}, each.by), `: ${each.text}`)))),
      context.may("operator") ? h("div", { className: "buttons" },
        isRetracted || isAcknowledged ? null : h("button", { className: "main", "data-key": `ack ${alert.key}`, onclick: () => acknowledge([alert.key]) }, "Acknowledge"),
        isAcknowledged ? h("button", { "data-key": `back ${alert.key}`, onclick: () => act("alerts/take-back", { keys: [alert.key] }) }, "Open again") : null,
        alert.has_scene ? h("a", { "data-key": `scene ${alert.key}`, href: `/api/alerts/scene?key=${encodeURIComponent(alert.key)}`, target: "_blank", rel: "noopener" }, "Scene") : null,
        alert.has_clip ? h("button", { "data-key": `clip ${alert.key}`, onclick: () => playFilm(alert.message, alertClip(alert.key)) }, "Clip") : null,
        context.site.has_recording ? h("a", { className: "button", "data-key": `watch ${alert.key}`, href: `#/recordings?${new URLSearchParams({ at: alert.raised_at - 5, ...(alert.person ? { person: alert.person } : {}) })}` }, "Watch") : null,
        alert.track ? h("button", { "data-key": `play ${alert.key}`, onclick: async () => play(alert.message, await get("clips", { track: alert.track })) }, "Play") : null,
        h("button", { "data-key": `say ${alert.key}`, onclick: () => comment(alert) }, "Comment"),
        context.me.cameras ? null : h("button", { "data-key": `mute ${alert.key}`, onclick: () => mute(alert.rule) }, "Mute rule")) : null);
  }

  async function acknowledge(keys) {
    for (let first = 0; first < keys.length; first += AT_ONCE) await act("alerts/acknowledge-all", { keys: keys.slice(first, first + AT_ONCE) });
    toast(keys.length > 1 ? `${keys.length} alerts acknowledged` : "Acknowledged", { action: { name: "Undo", run: async () => { for (let first = 0; first < keys.length; first += AT_ONCE) await act("alerts/take-back", { keys: keys.slice(first, first + AT_ONCE) }); } } });
  }

  function comment(alert) {
    const text = h("textarea", { rows: 3, maxLength: 2000, required: true, "aria-label": "Comment" });
    const box = dialog("Comment", h("p", { className: "soft" }, alert.message), text);
    addButtons(box, h("button", { className: "main", onclick: () => { if (text.value.trim()) { act("alerts/comment", { key: alert.key, text: text.value }); box.close(); } } }, "Save"));
  }

  function mute(rule) {
    const choice = h("select", { "aria-label": "How long" }, MUTES.map(([seconds, name]) => h("option", { value: seconds }, name)));
    const box = dialog(`Mute ${rule}`, h("p", {}, "Its alerts stay in the list, without a sound and without a count."), choice);
    addButtons(box, h("button", { className: "main", onclick: () => { act("alerts/mute", { rule, seconds: Number(choice.value) }); toast(`${rule} is muted for ${duration(Number(choice.value))}`); box.close(); } }, "Mute"));
  }

  context.listeners.add(refresh);
  await refresh();
}
