// Login, users and API tokens.

import { get, send } from "./api.js";
import { addButtons, dialog, h, put, toast } from "./dom.js";
import { wallClock } from "./format.js";
import { t } from "./language.js";
import { languageChoice } from "./language_choice.js";
import { ROLES } from "./words.js";

// Shows the login form; resolves after a login.
export async function login(root) {
  const ways = await get("sign-in");
  return new Promise((resolve) => {
    const name = h("input", { autocomplete: "username", required: true, maxLength: 64 });
    const password = h("input", { type: "password", autocomplete: "current-password", required: true, maxLength: 200 });
    const code = h("input", { autocomplete: "one-time-code", maxLength: 64 });
    const asksCode = h("label", { className: "hidden" }, t("Code of your app, or a recovery code"), code);
    const error = h("p", { className: "error", role: "alert" });
    const button = h("button", { className: "main", style: { justifyContent: "center" } }, t("Log in"));
    const form = h("form", { onsubmit: async (event) => {
      event.preventDefault();
      button.disabled = true;
      try {
        await send("login", { name: name.value, password: password.value, code: code.value });
        put(root);
        resolve();
      } catch (refused) {
        const needsCode = refused.needs === "code";
        put(error, needsCode ? "" : refused.message);
        button.disabled = false;
        if (needsCode) asksCode.classList.remove("hidden");
        (asksCode.classList.contains("hidden") ? password : code).select();
      }
    } }, h("label", {}, t("Name"), name), h("label", {}, t("Password"), password), asksCode, error, button);
    const there = ways.provider === null ? null : h("form", {}, h("button", { type: "button", className: "main", style: { justifyContent: "center" }, onclick: () => {
      sessionStorage.setItem("page", location.hash);
      location.assign("/oidc/start");
    } }, t("Sign in at {provider}", { provider: ways.provider })));
    put(root, h("div", { className: "card login" }, h("h1", {}, "Passerby"), there, ways.password ? form : null,
      ways.password || there ? null : h("p", {}, t("Come through the proxy that signs you in.")), h("p", {}, languageChoice())));
    root.dataset.ready = "yes";
    if (ways.password) name.focus();
  });
}

export async function page(root, context) {
  async function attempt(work) {
    try {
      await work();
      await refresh();
    } catch (error) {
      toast(error.message, { bad: true });
    }
  }

  async function refresh() {
    const [users, tokens, { required_from: required }] = await Promise.all([get("users"), get("tokens"), get("second-factor")]);
    const mayManage = !context.me.is_open;
    put(root,
      h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, t("Accounts")), h("p", {}, t("Viewers see people and alerts. Operators correct and erase. Administrators manage accounts."))),
        mayManage ? h("div", { className: "bar" }, context.me.is_external ? null : [h("button", { onclick: password }, t("My password")), h("button", { onclick: token }, t("New token"))], h("button", { className: "main", onclick: user }, t("New user"))) : null),
      mayManage ? null : h("p", { className: "soft" }, t("This page has no login. To manage accounts, start it with --login or open=false.")),
      mayManage && !context.me.cameras ? h("label", { className: "bar", style: { marginBottom: "16px" } }, t("A second factor is required of"), requirement(required)) : null,
      h("div", { className: "cols" },
        table(t("Users"), [t("name"), t("role"), t("cameras"), t("second factor"), ""], users.map((each) => [each.name, ROLES[each.role], each.cameras?.join(", ") ?? t("all"),
          each.second_factor && mayManage && each.name !== context.me.name ? h("button", { className: "danger", onclick: () => attempt(() => send(`users/${encodeURIComponent(each.name)}/second-factor`, {}, "DELETE")) }, t("Reset")) : each.is_external ? t("at the provider") : each.second_factor ? t("on") : t("off"),
          mayManage ? h("button", { className: "danger", onclick: () => attempt(() => send(`users/${encodeURIComponent(each.name)}`, {}, "DELETE")) }, t("Remove")) : ""])),
        table(t("API tokens"), [t("label"), t("acts for"), t("as"), t("made"), t("ends"), ""], tokens.map((each) => [each.label, each.name, ROLES[each.role], wallClock(each.made_at), wallClock(each.expires_at),
          mayManage ? h("button", { className: "danger", onclick: () => attempt(() => send(`tokens/${each.number}`, {}, "DELETE")) }, t("Remove")) : ""]))));
  }

  function requirement(required) {
    const choices = [["", t("nobody")], ["administrator", t("administrators")], ["operator", t("operators and administrators")], ["viewer", t("everybody")]];
    return h("select", { onchange: async (event) => {
      try {
        await send("second-factor", { required_from: event.target.value || null }, "PUT");
        location.reload();  // perhaps it is required of the one who asks
      } catch (error) { toast(error.message, { bad: true }); }
    } }, choices.map(([value, text]) => h("option", { value, selected: value === (required ?? "") }, text)));
  }

  function user() {
    const name = h("input", { maxLength: 64, pattern: "[\\w.@\\-]+" });
    const secret = h("input", { type: "password", autocomplete: "new-password", minLength: 10 });
    const role = h("select", {}, roleOptions());
    const cameras = context.site.cameras.map((camera) => h("input", { type: "checkbox", value: camera, checked: true }));
    const box = dialog(t("New user"), h("div", { className: "stack" }, h("label", {}, t("Name"), name), h("label", {}, t("Password, at least ten characters"), secret), h("label", {}, t("Role"), role),
      h("div", { className: "bar" }, cameras.map((field) => h("label", { className: "bar" }, field, field.value)))));
    addButtons(box, h("button", { className: "main", onclick: () => {
      const chosen = cameras.filter((field) => field.checked).map((field) => field.value);
      const body = { password: secret.value, role: role.value, cameras: chosen.length === cameras.length ? null : chosen };
      attempt(async () => { await send(`users/${encodeURIComponent(name.value)}`, body, "PUT"); box.close(); });
    } }, t("Save")));
  }

  function password() {
    const [old, fresh] = ["current-password", "new-password"].map((kind) => h("input", { type: "password", autocomplete: kind }));
    const box = dialog(t("My password"), h("div", { className: "stack" }, h("label", {}, t("Old password"), old), h("label", {}, t("New password, at least ten characters"), fresh)));
    addButtons(box, h("button", { className: "main", onclick: async () => {
      try {
        await send("me/password", { old: old.value, new: fresh.value });
        location.reload();
      } catch (error) { toast(error.message, { bad: true }); }
    } }, t("Change")));
  }

  function token() {
    const label = h("input", { maxLength: 100 });
    const role = h("select", {}, roleOptions());
    const days = h("input", { type: "number", min: 1, max: 366, value: 90 });
    const box = dialog(t("New token"), h("p", { className: "soft" }, t("It acts for {name} until it ends, or until the password changes.", { name: context.me.name })), h("div", { className: "stack" }, h("label", {}, t("Purpose"), label), h("label", {}, t("It may do at most what this role may"), role), h("label", {}, t("Days"), days)));
    addButtons(box, h("button", { className: "main", onclick: () => attempt(async () => {
      const made = await send("tokens", { name: context.me.name, label: label.value, role: role.value, days: Number(days.value) });
      box.close();
      dialog(t("Store this token now: it is not shown again"), h("pre", {}, made.token), h("form", { method: "dialog" }, h("button", { className: "main" }, t("Close"))));
    }) }, t("Make")));
  }

  await refresh();
}

function roleOptions() {
  return Object.entries(ROLES).map(([value, word]) => h("option", { value }, word));
}

function table(title, titles, rows) {
  return h("section", { className: "card" }, h("h2", {}, title), rows.length ? h("div", { className: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, titles.map((each) => h("th", {}, each)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell))))))) : h("p", { className: "soft" }, t("None yet.")));
}
