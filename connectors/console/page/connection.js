// Whether the server answers. Without it the page says so at once, and shows nothing old as if it was new.

import { renewSession, socket } from "./api.js";
import { h } from "./dom.js";
import { locale, t } from "./language.js";

const SILENT_MS = 6000;  // three heartbeats
const AGAIN_MS = 1000;

// Calls `changed` after each change on the server and after the server came back. A hidden tab has no connection.
export function connect(changed) {
  let changes = null;
  let lostAt = null;
  let heardAt = 0;
  let wait = null;

  function lose() {
    if (lostAt !== null || document.hidden) return;
    lostAt = new Date();
    document.documentElement.dataset.lost = "yes";
    document.getElementById("frame").before(h("div", { id: "lost", role: "alert" },
      t("Connection lost since {time}. What you see is from then. Trying again…", { time: lostAt.toLocaleTimeString(locale) })));
  }

  function find() {
    if (lostAt === null) return;
    lostAt = null;
    delete document.documentElement.dataset.lost;
    document.getElementById("lost")?.remove();
    changed();
  }

  function listen() {
    if (document.hidden) {
      changes?.close();
      changes = null;
      return;
    }
    if (changes) return;
    heardAt = Date.now();
    const mine = socket("/api/changes", {
      message: (text) => {
        heardAt = Date.now();
        find();
        if (!JSON.parse(text).is_new || wait) return;
        wait = setTimeout(() => { wait = null; changed(); }, 300);
      },
      closed: (event) => {
        if (changes !== mine) return;
        changes = null;
        // 4401: the session has ended, perhaps by a change of the user's own, which has begun another.
        if (event.code === 4401) { renewSession().then((isSame) => { if (isSame) listen(); }, lose); return; }
        if (event.code !== 4408) lose();  // 4408: connect again, and be asked again who you are
        setTimeout(listen, event.code === 4408 ? 0 : AGAIN_MS);
      },
    });
    changes = mine;
  }

  setInterval(() => {
    if (changes && Date.now() - heardAt > SILENT_MS) {
      const silent = changes;
      changes = null;
      silent.close();
      lose();
      listen();
    }
  }, AGAIN_MS);
  document.addEventListener("visibilitychange", listen);
  listen();
}

export function isLost() {
  return document.documentElement.dataset.lost === "yes";
}
