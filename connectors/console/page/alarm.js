// Brings new alerts to the operator on every page: a picture, a sound, a count in the title, a notification.

import { get, send } from "./api.js";
import { closing, h, put, toast } from "./dom.js";
import { eventTime, personLink, personTitle, thumbnail } from "./format.js";
import { t, tn, told } from "./language.js";

const AGAIN_MS = 30000;
const MAX_TOASTS = 3;

export class Alarm {
  constructor(changed) {
    this.changed = changed;
    this.known = null;
    this.told = [];  // alerts with a toast, the newest last
    this.more = h("div", { className: "toast" });
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
    // The newest come first. What somebody has acknowledged by now needs no toast.
    const keys = new Set(waiting.map((alert) => alert.key));
    for (const { key, box } of this.told) if (!keys.has(key)) box.remove();
    for (const alert of fresh.toReversed()) this.tell(alert, mayAcknowledge);
    this.stack();
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
            close();
            try { await send("alerts/acknowledge", { key: alert.key }); this.changed(); } catch (error) { toast(error.message, { bad: true }); }
          } }, t("Acknowledge")) : null,
          h("button", { onclick: () => { close(); location.hash = "#/alerts"; } }, t("Show")))), closing(() => close()));
    const close = () => { box.remove(); this.stack(); };
    document.getElementById("toasts").append(box);
    this.told.push({ key: alert.key, box });
    setTimeout(close, AGAIN_MS);
    if (document.hidden && globalThis.Notification?.permission === "granted") {
      const note = new Notification(told(alert.message), { body: alert.person ? `${alert.camera}, ${personTitle(alert.person)}` : alert.camera, tag: alert.key });
      note.onclick = () => { focus(); location.hash = "#/alerts"; };
    }
  }

  // Shows the newest toasts, and how many more there are. Closing one acknowledges nothing.
  stack() {
    this.told = this.told.filter(({ box }) => box.isConnected);
    const num = Math.max(0, this.told.length - MAX_TOASTS);
    for (const [index, { box }] of this.told.entries()) box.classList.toggle("hidden", index < num);
    put(this.more, h("span", {}, tn("and {count} more new alert", "and {count} more new alerts", num)),
      h("button", { onclick: () => { this.closeAll(); location.hash = "#/alerts"; } }, t("Show")), closing(() => this.closeAll()));
    if (num) document.getElementById("toasts").append(this.more);
    else this.more.remove();
  }

  closeAll() {
    for (const { box } of this.told) box.remove();
    this.stack();
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
