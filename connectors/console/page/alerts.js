// Alerts, newest first: filter, acknowledge, comment, mute.

import { keep, shown as inAddress } from "./address.js";
import { isOpen } from "./alarm.js";
import { get, getList, send } from "./api.js";
import { addAction, dialog, h, put, toast } from "./dom.js";
import { alertClip, play, playFilm } from "./player.js";
import { duration, eventTime, moment, parseTime, personLink, personTitle, thumbnail, wallClock } from "./format.js";
import { t, tn, told } from "./language.js";
import { recorderLink } from "./other_recorder.js";
import { ALERT_STATES } from "./words.js";

const PAGE = 60;
const AT_ONCE = 200; // alerts in one request
const MUTES = [[900, t("15 minutes")], [3600, t("one hour")], [86400, t("one day")]];

export async function page(root, context) {
  const filter = { rule: "", camera: "", state: "", since: "", until: "", key: "", ...inAddress() };
  let limit = PAGE;
  const list = h("div", { className: "stack", "aria-label": t("Alerts") });
  const bar = h("div", { className: "bar" });
  const count = h("p", {});
  put(root, h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, t("Alerts")), count), bar), list);

  const choice = (name, label, values, words = {}) => h("label", {}, label, h("select", {
    "data-key": `filter ${name}`,
    onchange: (event) => change(name, event.target.value),
  }, h("option", { value: "" }, t("all")), values.map((value) => h("option", { value, selected: value === filter[name] }, words[value] ?? value))));

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
    put(count, found.num ? t("{open} open. {shown} of {all} shown, newest first.", { open: found.num_open, shown: shown.length, all: found.num }) : t("There are no alerts."));
    put(bar, choice("rule", t("Rule"), found.rules), choice("camera", t("Camera"), context.site.cameras),
      when("since", t("From")), when("until", t("To")), choice("state", t("State"), Object.keys(ALERT_STATES), ALERT_STATES), h("label", {}, t("Sound, notices"), sound),
      context.may("operator") && waiting.length ? h("button", { "data-key": "ack all", onclick: () => acknowledge(waiting.map((alert) => alert.key)) }, tn("Acknowledge {count} shown", "Acknowledge all {count} shown", waiting.length)) : null);
    const muted = Object.entries(found.muted);
    put(list,
      filter.key ? h("div", { className: "note" }, t("One alert is shown, as its link says."), " ",
        h("button", { className: "plain", "data-key": "all alerts", onclick: () => change("key", "") }, t("Show all"))) : null,
      muted.map(([rule, until]) => h("div", { className: "note" }, t("{rule} is muted until {time}.", { rule, time: wallClock(until) }), " ",
        context.may("operator") ? h("button", { className: "plain", onclick: () => act("alerts/mute", { rule, seconds: 0 }) }, t("Unmute")) : null)),
      shown.map((alert) => card(alert, alert.rule in found.muted)),
      shown.length < found.num ? h("button", { "data-key": "more", onclick: () => { limit += PAGE; refresh(); } }, t("Show more")) : null,
      shown.length ? null : h("div", { className: "empty" }, t("No alert matches. New alerts appear here automatically.")));
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
    const states = { raised: [t("open"), "bad"], amended: alert.ended_at ? [t("ended"), "warn"] : [t("amended"), "warn"], acknowledged: [t("acknowledged"), "good"], retracted: [t("retracted"), ""] };
    const [word, kind] = states[alert.state];
    return h("article", { className: `card alert ${alert.severity} ${isRetracted ? "retracted done" : isAcknowledged || isMuted ? "done" : ""}`, "data-alert": alert.key },
      thumbnail(alert.picture, personTitle(alert.person)),
      h("div", {},
        h("p", { className: "message" }, told(alert.message)),
        h("div", { className: "facts" }, personLink(alert.person), h("span", {}, alert.camera), h("time", { className: "num" }, eventTime(alert.raised_at)),
          h("span", {}, alert.rule), h("span", { className: `tag ${kind}` }, word),
          isMuted ? h("span", { className: "tag" }, t("muted")) : null,
          alert.count > 1 ? h("span", {}, tn("{count} time", "{count} times", alert.count)) : null),
        h("ul", { className: "comments" },
          alert.acknowledged ? h("li", { className: "soft" }, t("Acknowledged by {name}, {time}", { name: alert.acknowledged.by, time: wallClock(alert.acknowledged.at) })) : null,
          alert.comments.map((each) => h("li", {}, h("b", {}, each.by), `: ${each.text}`)))),
      context.may("operator") ? h("div", { className: "buttons" },
        isRetracted || isAcknowledged ? null : h("button", { className: "main", "data-key": `ack ${alert.key}`, onclick: () => acknowledge([alert.key]) }, t("Acknowledge")),
        isAcknowledged ? h("button", { "data-key": `back ${alert.key}`, onclick: () => act("alerts/take-back", { keys: [alert.key] }) }, t("Open again")) : null,
        alert.has_scene ? h("a", { "data-key": `scene ${alert.key}`, href: `/api/alerts/scene?key=${encodeURIComponent(alert.key)}`, target: "_blank", rel: "noopener" }, t("Scene")) : null,
        alert.has_clip ? h("button", { "data-key": `clip ${alert.key}`, onclick: () => playFilm(told(alert.message), alertClip(alert.key)) }, t("Clip")) : null,
        context.site.has_recording ? h("a", { className: "button", "data-key": `watch ${alert.key}`, href: `#/recordings?${new URLSearchParams({ at: alert.raised_at - 5, ...(alert.person ? { person: alert.person } : {}) })}` }, t("Watch")) : null,
        recorderLink(context, alert.camera, alert.raised_at, `recorder ${alert.key}`),
        alert.track ? h("button", { "data-key": `play ${alert.key}`, onclick: async () => play(told(alert.message), await get("clips", { track: alert.track })) }, t("Play")) : null,
        h("button", { "data-key": `say ${alert.key}`, onclick: () => comment(alert) }, t("Comment")),
        context.me.cameras ? null : h("button", { "data-key": `mute ${alert.key}`, onclick: () => mute(alert.rule) }, t("Mute rule"))) : null);
  }

  // Tells how many were acknowledged, and why others were not: a colleague may have been quicker.
  async function acknowledge(keys) {
    const [done, refused] = [[], []];
    try {
      for (let first = 0; first < keys.length; first += AT_ONCE) {
        const answer = await send("alerts/acknowledge-all", { keys: keys.slice(first, first + AT_ONCE) });
        done.push(...answer.acknowledged);
        refused.push(...answer.left_out);
      }
    } catch (error) {
      toast(error.message, { bad: true });
    }
    await refresh();
    if (done.length) toast(keys.length > 1 ? tn("{count} alert acknowledged", "{count} alerts acknowledged", done.length) : t("Acknowledged"), { action: { name: t("Undo"), run: async () => { for (let first = 0; first < done.length; first += AT_ONCE) await act("alerts/take-back", { keys: done.slice(first, first + AT_ONCE) }); } } });
    for (const why of new Set(refused.map((each) => each.why))) {
      const count = refused.filter((each) => each.why === why).length;
      toast(keys.length > 1 ? tn("{count} alert not acknowledged: {why}", "{count} alerts not acknowledged: {why}", count, { why: told(why) }) : told(why), { bad: true });
    }
  }

  function comment(alert) {
    const text = h("textarea", { rows: 3, maxLength: 2000, required: true, "aria-label": t("Comment") });
    const box = dialog(t("Comment"), h("p", { className: "soft" }, told(alert.message)), text);
    addAction(box, t("Save"), async () => {
      if (!text.value.trim()) throw new Error(t("Write a comment first."));
      await send("alerts/comment", { key: alert.key, text: text.value });
      await refresh();
    });
  }

  function mute(rule) {
    const choice = h("select", { "aria-label": t("How long") }, MUTES.map(([seconds, name]) => h("option", { value: seconds }, name)));
    const box = dialog(t("Mute {rule}", { rule }), h("p", {}, t("Its alerts stay in the list, without a sound and without a count.")), choice);
    addAction(box, t("Mute"), async () => {
      await send("alerts/mute", { rule, seconds: Number(choice.value) });
      await refresh();
      toast(t("{rule} is muted for {duration}", { rule, duration: duration(Number(choice.value)) }));
    });
  }

  context.listeners.add(refresh);
  await refresh();
}
