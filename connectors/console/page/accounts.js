// Login, users and API tokens.

import { get, renewSession, send } from "./api.js";
import { addAction, dialog, h, hold, put, toast } from "./dom.js";
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
  // Asks before something is removed.
  function ask(title, about, name, path) {
    addAction(dialog(title, h("p", {}, about)), name, async () => { await send(path, {}, "DELETE"); await refresh(); }, "danger");
  }

  async function refresh() {
    const [users, tokens, { required_from: required }] = await Promise.all([get("users"), get("tokens"), get("second-factor")]);
    const mayManage = !context.me.is_open;
    put(root,
      h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, t("Accounts")), h("p", {}, t("Viewers see people and alerts. Operators correct and erase. Administrators manage accounts."))),
        mayManage ? h("div", { className: "bar" }, context.me.is_external ? null : [h("button", { onclick: password }, t("My password")), h("button", { onclick: token }, t("New token"))], h("button", { className: "main", onclick: () => user() }, t("New user"))) : null),
      mayManage ? null : h("p", { className: "soft" }, t("This page has no login. To manage accounts, start it with --login or open=false.")),
      mayManage && !context.me.cameras ? h("label", { className: "bar", style: { marginBottom: "16px" } }, t("A second factor is required of"), requirement(required)) : null,
      h("div", { className: "cols" },
        table(t("Users"), [t("name"), t("role"), t("cameras"), t("second factor"), ""], users.map((each) => [each.name, ROLES[each.role], each.cameras?.join(", ") ?? t("all"),
          each.second_factor && mayManage && each.name !== context.me.name ? h("button", { className: "danger", onclick: () => ask(t("Reset the second factor of {name}?", each), t("Their sessions end, and a login needs the password alone, until they set up another."), t("Reset"), `users/${encodeURIComponent(each.name)}/second-factor`) }, t("Reset")) : each.is_external ? t("at the provider") : each.second_factor ? t("on") : t("off"),
          mayManage ? h("div", { className: "bar" }, each.is_external ? null : h("button", { onclick: () => user(each) }, t("Change…")),
            h("button", { className: "danger", onclick: () => ask(t("Remove {name}?", each), t("Their sessions end, and their tokens. What they did stays in the audit."), t("Remove"), `users/${encodeURIComponent(each.name)}`) }, t("Remove…"))) : ""])),
        table(t("API tokens"), [t("label"), t("acts for"), t("as"), t("made"), t("ends"), ""], tokens.map((each) => [each.label, each.name, ROLES[each.role], wallClock(each.made_at), wallClock(each.expires_at),
          mayManage ? h("button", { className: "danger", onclick: () => ask(t("Remove {name}?", { name: each.label }), t("What uses this token can do nothing any more."), t("Remove"), `tokens/${each.number}`) }, t("Remove…")) : ""]))));
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

  // Adds a user, or changes one.
  function user(before = null) {
    const name = h("input", { maxLength: 64, "data-key": "user name" });
    const secret = h("input", { type: "password", autocomplete: "new-password", "data-key": "user password" });
    const role = h("select", { "data-key": "user role" }, roleOptions(before?.role));
    const names = [...new Set([...context.site.cameras, ...(before?.cameras ?? [])])];
    const mayAll = !context.me.cameras;
    const all = h("input", { type: "checkbox", checked: mayAll && !before?.cameras, onchange: () => some.classList.toggle("hidden", all.checked) });
    const cameras = names.map((camera) => h("input", { type: "checkbox", value: camera, checked: before?.cameras?.includes(camera) ?? true }));
    const some = h("div", { className: all.checked ? "bar hidden" : "bar" }, cameras.map((field) => h("label", { className: "bar" }, field, field.value)));
    const box = dialog(before ? t("Change {name}", before) : t("New user"),
      before ? h("p", { className: "soft" }, t("Their sessions end, and their tokens. Without a new password, theirs stays.")) : null,
      h("div", { className: "stack" }, before ? null : h("label", {}, t("Name"), name), h("label", {}, before ? t("New password, at least ten characters") : t("Password, at least ten characters"), secret), h("label", {}, t("Role"), role),
        mayAll ? h("label", { className: "bar" }, all, t("all cameras")) : null, some));
    addAction(box, t("Save"), async () => {
      const body = { password: before && !secret.value ? null : secret.value, role: role.value, cameras: all.checked ? null : cameras.filter((field) => field.checked).map((field) => field.value) };
      if (before) await send(`users/${encodeURIComponent(before.name)}`, body, "PUT");
      else await send("users", { name: name.value, ...body });
      if (before?.name !== context.me.name || (await renewSession())) await refresh();
    });
  }

  function password() {
    const [old, fresh] = ["current-password", "new-password"].map((kind) => h("input", { type: "password", autocomplete: kind, "data-key": kind }));
    const box = dialog(t("My password"), h("p", { className: "soft" }, t("Your other sessions end, and your tokens.")),
      h("div", { className: "stack" }, h("label", {}, t("Old password"), old), h("label", {}, t("New password, at least ten characters"), fresh)));
    addAction(box, t("Change"), async () => {
      await send("me/password", { old: old.value, new: fresh.value });
      if (await renewSession()) await refresh();
      toast(t("Your password is changed."));
    });
  }

  function token() {
    const label = h("input", { maxLength: 100 });
    const role = h("select", {}, roleOptions());
    const days = h("input", { type: "number", min: 1, max: 366, value: 90 });
    const box = dialog(t("New token"), h("p", { className: "soft" }, t("It acts for {name} until it ends, or until the password changes.", { name: context.me.name })), h("div", { className: "stack" }, h("label", {}, t("Purpose"), label), h("label", {}, t("It may do at most what this role may"), role), h("label", {}, t("Days"), days)));
    addAction(box, t("Make"), async () => {
      const made = await send("tokens", { name: context.me.name, label: label.value, role: role.value, days: Number(days.value) });
      hold(dialog(t("Store this token now: it is not shown again"), h("pre", {}, made.token), h("form", { method: "dialog" }, h("button", { className: "main" }, t("I have stored it")))));
      await refresh();
    });
  }

  await refresh();
}

function roleOptions(chosen) {
  return Object.entries(ROLES).map(([value, word]) => h("option", { value, selected: value === chosen }, word));
}

function table(title, titles, rows) {
  return h("section", { className: "card" }, h("h2", {}, title), rows.length ? h("div", { className: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, titles.map((each) => h("th", {}, each)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell))))))) : h("p", { className: "soft" }, t("None yet.")));
}
