// The second factor of the user who is logged in: codes of an app on a phone.

import { renewSession, send } from "./api.js";
import { dialog, h, hold, put, s, toast } from "./dom.js";
import { t } from "./language.js";

// Shows what a user must do who needs a second factor and has none; resolves when it is done.
export function required(root, me) {
  return new Promise((resolve) => {
    const card = h("div", { className: "card login" });
    put(root, card);
    put(card, h("h1", {}, t("A second factor is required")),
      h("p", {}, t("{name}, set it up before you go on. You need an app for one-time codes on your phone.", { name: me.name })),
      setUp(() => resolve()), h("p", { className: "buttons" }, h("button", { onclick: async () => { await send("logout"); location.reload(); } }, t("Log out"))));
    root.dataset.ready = "yes";
  });
}

export function open(me) {
  const box = dialog(t("Second factor"));
  const close = h("button", { onclick: () => box.close() }, t("Close"));
  if (!me.second_factor) {
    box.append(h("p", { className: "soft" }, t("With it, a login needs a code of an app on your phone too.")),
      setUp(() => box.close(), async () => { hold(box); close.remove(); await renewSession(); }), h("div", { className: "buttons" }, close));
    return;
  }
  box.append(h("p", {}, t("It is on. Recovery codes left: {count}.", { count: me.recovery_codes })),
    h("p", { className: "soft" }, t("To use another phone, or to get new recovery codes, turn it off and set it up again.")),
    form(t("Turn it off"), [field(t("Password"), { type: "password", autocomplete: "current-password" }), field(t("Code"), { autocomplete: "one-time-code", maxLength: 64 })],
      async (password, code) => { await send("me/second-factor/off", { password, code }); await renewSession(); box.close(); toast(t("The second factor is off.")); }),
    h("div", { className: "buttons" }, close));
}

// Password, then QR code and first code, then the recovery codes, which `shown` holds until they are stored.
function setUp(done, shown = () => {}) {
  const place = h("div");
  put(place, form(t("Set it up"), [field(t("Password"), { type: "password", autocomplete: "current-password" })], async (password) => {
    const made = await send("me/second-factor", { password });
    const key = new URL(made.address).searchParams.get("secret");
    put(place, h("p", {}, t("Read this picture with the app, or type the key.")), drawn(made.qr), h("p", {}, h("code", { className: "key" }, key)),
      form(t("Turn it on"), [field(t("Code that the app shows"), { autocomplete: "one-time-code", inputMode: "numeric", maxLength: 12 })], async (code) => {
        const { recovery_codes: codes } = await send("me/second-factor/on", { code });
        put(place, h("p", {}, t("It is on. Store these recovery codes now: they are not shown again. Each one replaces a code once, if you lose the phone.")),
          h("pre", { className: "codes" }, codes.join("\n")), h("button", { type: "button", className: "main", onclick: done }, t("I have stored them")));
        await shown();
      }));
    place.querySelector("input").focus();
  }));
  return place;
}

function field(label, props) {
  return { label, input: h("input", { required: true, ...props }) };
}

function form(name, fields, work) {
  const error = h("p", { className: "error", role: "alert" });
  const button = h("button", { className: "main" }, name);
  return h("form", { className: "stack", onsubmit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await work(...fields.map((each) => each.input.value));
    } catch (refused) {
      put(error, refused.message);
    }
    button.disabled = false;
  } }, fields.map((each) => h("label", {}, each.label, each.input)), error, button);
}

function drawn(rows) {
  const size = rows.length;
  const black = rows.flatMap((row, y) => [...row].flatMap((module, x) => (module === "1" ? [`M${x} ${y}h1v1h-1z`] : []))).join("");
  return s("svg", { class: "qr", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": t("QR code for the app"), "shape-rendering": "crispEdges" },
    s("rect", { width: size, height: size, fill: "#fff" }), s("path", { d: black, fill: "#000" }));
}
