// Alerts, newest first: filter, acknowledge, comment, mute.

import { get, send } from "./api.js";
import { addButtons, dialog, h, put, toast } from "./dom.js";
import { duration, eventTime, parseTime, personLink, thumbnail, wallClock } from "./format.js";

const MUTES = [[900, "15 minutes"], [3600, "one hour"], [86400, "one day"]];

export async function page(root, context) {
  const filter = { rule: "", camera: "", state: "", since: "", until: "" };
  const list = h("div", { className: "stack", "aria-label": "Alerts" });
  const bar = h("div", { className: "bar" });
  const count = h("p", {});
  let newest = null;
  put(root, h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, "Alerts"), count), bar), list);

  const choice = (name, label, values) => h("label", {}, label, h("select", {
    "data-key": `filter ${name}`,
    onchange: (event) => { filter[name] = event.target.value; refresh(); },
  }, h("option", { value: "" }, "all"), values.map((value) => h("option", { value, selected: value === filter[name] }, value))));

  const when = (name, label, placeholder) => h("label", {}, label, h("input", {
    "data-key": `filter ${name}`, value: filter[name], placeholder, style: { width: "7.5em" },
    onchange: (event) => { filter[name] = event.target.value; refresh(); },
  }));

  const sound = h("input", {
    type: "checkbox", checked: localStorage.getItem("sound") === "on",
    onchange: () => localStorage.setItem("sound", sound.checked ? "on" : "off"),
  });

  async function refresh() {
    const found = await get("alerts", { rule: filter.rule, camera: filter.camera, since: parseTime(filter.since), until: parseTime(filter.until) });
    const shown = found.alerts.filter((alert) => !filter.state || alert.state === filter.state);
    const open = found.alerts.filter((alert) => ["raised", "amended"].includes(alert.state)).length;
    put(count, found.num ? `${open} open of ${found.num}` : "There are no alerts.");
    put(bar, choice("rule", "Rule", found.rules), choice("camera", "Camera", context.site.cameras),
      when("since", "From", "0:00 or date"), when("until", "To", "1:30 or date"), choice("state", "State", ["raised", "amended", "acknowledged", "retracted"]), h("label", {}, "Sound", sound));
    const muted = Object.entries(found.muted);
    put(list,
      muted.map(([rule, until]) => h("div", { className: "note" }, `${rule} is muted until ${wallClock(until)}. `,
        context.may("operator") ? h("button", { className: "plain", onclick: () => act("alerts/mute", { rule, seconds: 0 }) }, "Unmute") : null)),
      shown.map((alert) => card(alert, alert.rule in found.muted)),
      shown.length ? null : h("div", { className: "empty" }, "No alert matches. New alerts appear here automatically."));
    const key = found.alerts[0]?.key ?? null;
    if (newest !== null && key !== newest && key && sound.checked && !(found.alerts[0].rule in found.muted)) beep();
    newest = key ?? "";
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
    const states = { raised: ["open", "bad"], amended: ["amended", "warn"], acknowledged: ["acknowledged", "good"], retracted: ["retracted", ""] };
    const [word, kind] = states[alert.state];
    return h("article", { className: `card alert ${alert.severity} ${isRetracted ? "retracted done" : isAcknowledged || isMuted ? "done" : ""}`, "data-alert": alert.key },
      thumbnail(alert.picture, `Person ${alert.person}`),
      h("div", {},
        h("p", { className: "message" }, alert.message),
        h("div", { className: "facts" }, personLink(alert.person), h("span", {}, alert.camera), h("time", { className: "num" }, eventTime(alert.raised_at)),
          h("span", {}, alert.rule), h("span", { className: `tag ${kind}` }, word),
          isMuted ? h("span", { className: "tag" }, "muted") : null,
          alert.was_amended && alert.state !== "amended" ? h("span", { className: "tag warn" }, "amended") : null),
        h("ul", { className: "comments" },
          alert.acknowledged ? h("li", { className: "soft" }, `Acknowledged by ${alert.acknowledged.by}, ${wallClock(alert.acknowledged.at)}`) : null,
          alert.comments.map((each) => h("li", {}, h("b", {}, each.by), `: ${each.text}`)))),
      context.may("operator") ? h("div", { className: "buttons" },
        isRetracted || isAcknowledged ? null : h("button", { className: "main", "data-key": `ack ${alert.key}`, onclick: () => act("alerts/acknowledge", { key: alert.key }) }, "Acknowledge"),
        h("button", { "data-key": `say ${alert.key}`, onclick: () => comment(alert) }, "Comment"),
        h("button", { "data-key": `mute ${alert.key}`, onclick: () => mute(alert.rule) }, "Mute rule")) : null);
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

function beep() {
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  volume.gain.value = 0.08;
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.15);
}
