// Brings new alerts to the operator on every page: a picture, a sound, a count in the title, a notification.

import { get, send } from "./api.js";
import { h, toast } from "./dom.js";
import { eventTime, personLink, personTitle, thumbnail } from "./format.js";
import { t, tn, told } from "./language.js";

const AGAIN_MS = 30000;
const MAX_TOASTS = 3;

export class Alarm {
  constructor(changed) {
    this.changed = changed;
    this.known = null;
    this.open = 0;
    this.urgent = 0;
    // An alert that is more than an information sounds again until somebody acknowledges it.
    setInterval(() => { if (this.urgent) this.sound(); }, AGAIN_MS);
  }

  titled(title) {
    return this.open ? `(${this.open}) ${title}` : title;
  }

  // Looks for new alerts, tells of them, and returns how many are open.
  async look(mayAcknowledge) {
    const { alerts: found, num_open: open, muted } = await get("alerts", { limit: 200 });
    const waiting = found.filter((alert) => isOpen(alert) && !(alert.rule in muted));
    const fresh = this.known === null ? [] : waiting.filter((alert) => !this.known.has(alert.key));
    // One that was retracted and is raised again is new.
    this.known = new Set(found.filter((alert) => alert.state !== "retracted").map((alert) => alert.key));
    this.urgent = waiting.filter((alert) => alert.severity !== "info").length;
    this.open = Math.max(0, open - found.filter((alert) => isOpen(alert) && alert.rule in muted).length);
    for (const alert of fresh.slice(0, MAX_TOASTS)) this.tell(alert, mayAcknowledge);
    if (fresh.length > MAX_TOASTS) toast(tn("{count} more new alert", "{count} more new alerts", fresh.length - MAX_TOASTS), { action: { name: t("Show"), run: () => { location.hash = "#/alerts"; } } });
    if (fresh.length) this.sound();
    return this.open;
  }

  tell(alert, mayAcknowledge) {
    const box = h("div", { className: `toast alarm ${alert.severity}`, "data-alarm": alert.key },
      thumbnail(alert.picture, personTitle(alert.person)),
      h("div", { className: "grow" }, h("b", {}, told(alert.message)),
        h("div", { className: "facts" }, personLink(alert.person), h("span", {}, alert.camera), h("time", {}, eventTime(alert.raised_at))),
        h("div", { className: "bar" },
          mayAcknowledge ? h("button", { onclick: async () => {
            box.remove();
            try { await send("alerts/acknowledge", { key: alert.key }); this.changed(); } catch (error) { toast(error.message, { bad: true }); }
          } }, t("Acknowledge")) : null,
          h("button", { onclick: () => { box.remove(); location.hash = "#/alerts"; } }, t("Show")))));
    document.getElementById("toasts").append(box);
    setTimeout(() => box.remove(), AGAIN_MS);
    if (document.hidden && globalThis.Notification?.permission === "granted") {
      const note = new Notification(told(alert.message), { body: alert.person ? `${alert.camera}, ${personTitle(alert.person)}` : alert.camera, tag: alert.key });
      note.onclick = () => { focus(); location.hash = "#/alerts"; };
    }
  }

  sound() {
    if (localStorage.getItem("sound") !== "on") return;
    const audio = new AudioContext();
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    volume.gain.value = 0.08;
    tone.connect(volume).connect(audio.destination);
    tone.start();
    tone.stop(audio.currentTime + 0.15);
  }
}

export function isOpen(alert) {
  return alert.state === "raised" || alert.state === "amended";
}
