// Shows the page that the address names, with the menu around it.

import { Alarm } from "./alarm.js";
import { get, send, setSession } from "./api.js";
import { connect } from "./connection.js";
import { closeDialogs, h, put, s, toast } from "./dom.js";
import { direction, language, t } from "./language.js";
import { languageChoice } from "./language_choice.js";
import { ROLES } from "./words.js";
import * as accounts from "./accounts.js";
import * as alerts from "./alerts.js";
import * as counts from "./counts.js";
import * as floor from "./floor.js";
import * as health from "./health.js";
import * as live from "./live.js";
import * as people from "./people.js";
import * as person from "./person.js";
import * as privacy from "./privacy.js";
import * as recordings from "./recordings.js";
import * as reference from "./reference.js";
import * as review from "./review.js";
import * as secondFactor from "./second_factor.js";
import * as site from "./site.js";
import * as watchlist from "./watchlist.js";

const PAGES = [
  { name: "live", title: t("Live"), module: live, icon: "M3 5h18v12H3zM8 21h8M12 17v4" },
  { name: "alerts", title: t("Alerts"), module: alerts, icon: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4" },
  { name: "floor", title: t("Floor plan"), module: floor, icon: "M3 4h18v16H3zM3 12h7M14 4v6M14 14v6" },
  { name: "recordings", title: t("Recordings"), module: recordings, icon: "M3 5h18v14H3zM10 9l5 3-5 3z" },
  { name: "people", title: t("People"), module: people, icon: "M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM16 16l5 5" },
  { name: "watchlist", title: t("Watch-list"), module: watchlist, icon: "M2 12c3-5 6-7 10-7s7 2 10 7c-3 5-6 7-10 7s-7-2-10-7zM12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z" },
  { name: "review", title: t("Review"), module: review, icon: "M3 6h8v12H3zM13 6h8v12h-8zM6 12l1.5 1.5L10 11" },
  { name: "counts", title: t("Counts"), module: counts, ofAll: true, icon: "M4 20V10M10 20V4M16 20v-8M22 20H2" },
  { name: "health", title: t("Health"), module: health, icon: "M3 12h4l3-7 4 14 3-7h4" },
  { name: "privacy", title: t("Privacy"), module: privacy, icon: "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6z" },
  { name: "site", title: t("Site"), module: site, icon: "M4 20l4-1 11-11-3-3L5 16zM14 7l3 3M3 21h18", role: "administrator", ofAll: true },
  { name: "accounts", title: t("Accounts"), module: accounts, icon: "M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM4 21c0-5 4-7 8-7s8 2 8 7", role: "administrator" },
  { name: "api", title: t("API"), module: reference, icon: "M8 7l-5 5 5 5M16 7l5 5-5 5M14 4l-4 16" },
];
const HIDDEN = { person: { name: "person", title: t("Person"), module: person, parent: "people" } };
const RANK = { viewer: 0, operator: 1, administrator: 2 };

const context = { me: null, site: null, may: (role) => RANK[context.me.role] >= RANK[role], listeners: new Set() };
const alarm = new Alarm(() => changed());
let leave = null;
let pageTitle = "Passerby";
let turn = 0;

async function start() {
  Object.assign(document.documentElement, { lang: language, dir: direction });
  document.querySelector(".skip").textContent = t("Skip to the page");
  document.getElementById("nav").setAttribute("aria-label", t("Pages"));
  const page = sessionStorage.getItem("page");  // where a login at the provider began
  if (page !== null) {
    sessionStorage.removeItem("page");
    if (!location.hash) history.replaceState(null, "", page || "#");
  }
  setTheme(localStorage.getItem("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  try {
    context.me = await get("me");
  } catch (refused) {
    document.getElementById("nav").replaceChildren();
    await accounts.login(document.getElementById("main"));
    return start();
  }
  setSession(context.me);
  if (context.me.must_set_up) {
    document.getElementById("nav").replaceChildren();
    await secondFactor.required(document.getElementById("main"), context.me);
    return start();
  }
  context.site = await get("site");
  context.isElapsed = context.site.newest_at !== null && Math.abs(context.site.newest_at) < 365 * 86400;
  drawNav();
  addEventListener("hashchange", show);
  connect(changed);
  await show();
  const scroll = sessionStorage.getItem("scroll");  // where another language was chosen
  if (scroll !== null) scrollTo(0, Number(scroll));
  sessionStorage.removeItem("scroll");
}

async function show() {
  const mine = (turn += 1);
  closeDialogs();
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("?")[0].split("/");
  const page = PAGES.find((each) => each.name === (name || "live")) ?? HIDDEN[name] ?? nowhere(name);
  await leave?.();
  leave = null;
  context.listeners.clear();
  for (const item of document.querySelectorAll("#nav a.item")) {
    if (item.dataset.page === (page.parent ?? page.name)) item.setAttribute("aria-current", "page");
    else item.removeAttribute("aria-current");
  }
  pageTitle = `${page.title} – Passerby`;
  document.title = alarm.titled(pageTitle);
  const root = h("div", { className: `page-${page.name}` });
  const main = document.getElementById("main");
  const loading = h("p", { className: "soft loading", role: "status" }, t("Loading…"));
  put(main, banner(), root, loading);
  try {
    const left = await page.module.page(root, context, rest.map(decodeURIComponent));
    if (mine === turn) leave = left ?? null;
    else left?.();
  } catch (error) {
    put(root, h("div", { className: "empty" }, h("h1", {}, t("This page cannot be shown")), h("p", {}, error.message)));
  }
  loading.remove();
  root.dataset.ready = "yes";
  if (mine > 1) main.focus({ preventScroll: true });
}

// The page of an address that names none.
function nowhere(name) {
  return { name: "nowhere", title: t("There is no such page"), module: { page: async (root) => {
    put(root, h("div", { className: "empty" }, h("h1", {}, t("There is no such page")), h("p", {}, t("The address names the page “{name}”.", { name })), h("p", {}, h("a", { href: "#/live" }, t("Go to Live")))));
  } } };
}

function banner() {
  if (!context.me.is_open) return null;
  return h("div", { className: "note", role: "note" },
    t("Demonstration: no login is needed. Only this machine can open the page."));
}

function drawNav() {
  const items = PAGES.filter((page) => (!page.role || context.may(page.role)) && !(page.ofAll && context.me.cameras)).map((page) => h("a", {
    className: "item", href: `#/${page.name}`, "data-page": page.name,
  }, s("svg", { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "1.8", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" }, s("path", { d: page.icon })),
  h("span", {}, page.title), h("span", { className: "count hidden" })));
  put(document.getElementById("nav"),
    h("div", { className: "brand" }, h("img", { src: "/page/icon.svg", alt: "" }), "Passerby"),
    items,
    h("div", { className: "foot" },
      h("div", {}, context.me.name, h("br"), h("span", {}, ROLES[context.me.role])),
      h("button", { onclick: () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark", true) }, t("Light / dark")),
      languageChoice(),
      context.me.is_open || context.me.is_external ? null : h("button", { onclick: () => secondFactor.open(context.me) }, t("Second factor")),
      context.me.is_open || context.me.is_by_proxy ? null : h("button", { onclick: logOut }, t("Log out"))));
  countAlerts();
}

async function countAlerts() {
  const open = await alarm.look(context.may("operator"));
  const count = document.querySelector('#nav a[data-page="alerts"] .count');
  count?.replaceChildren(String(open));
  count?.classList.toggle("hidden", open === 0);
  document.title = alarm.titled(pageTitle);
}

async function logOut() {
  const { go_to: provider } = await send("logout");
  if (provider) location.assign(provider);
  else location.reload();
}

function setTheme(theme, keep = false) {
  document.documentElement.dataset.theme = theme;
  if (keep) localStorage.setItem("theme", theme);
}

function changed() {
  countAlerts().catch(() => {});
  for (const listener of context.listeners) {
    Promise.resolve(listener()).catch((error) => toast(error.message, { bad: true }));
  }
}

start();
