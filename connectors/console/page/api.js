// Requests to the server. Every change carries the session's CSRF token.

import { t, told } from "./language.js";

const AT_ONCE = 200;

let csrf = null;
let me = null;
let sending = 0; // changes that the server has not answered yet: one of them may bring a new session

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function setSession(found) {
  me = found;
  csrf = found.csrf;
}

// Goes on in the session that a change of the user's own has begun. Without one, or with other rights, the page begins anew.
export async function renewSession() {
  for (let tries = 0; sending && tries < 100; tries += 1) await new Promise((resolve) => setTimeout(resolve, 50));
  const response = await asked("/api/me");
  const now = response.ok ? await response.json() : null;
  const isSame = now && !now.must_set_up && ["name", "role", "cameras"].every((key) => JSON.stringify(now[key]) === JSON.stringify(me[key]));
  if (isSame) setSession(Object.assign(me, now));
  else location.reload();
  return isSame;
}

export async function get(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  const url = `/api/${path}${query.size ? `?${query}` : ""}`;
  const response = await asked(url);
  return answer(response.status === 401 && csrf && (await renewSession()) ? await asked(url) : response);
}

// Asks for the first `limit` of a list, in as many requests as that takes; returns the first answer with the whole list.
export async function getList(path, params, name, limit) {
  const first = await get(path, { ...params, limit: Math.min(limit, AT_ONCE) });
  while (first[name].length < Math.min(limit, first.num)) {
    const offset = first[name].length;
    const next = await get(path, { ...params, offset, limit: Math.min(limit - offset, AT_ONCE) });
    if (!next[name].length) break;
    first[name].push(...next[name]);
  }
  return first;
}

export async function send(path, body = {}, method = "POST") {
  const headers = { "content-type": "application/json" };
  if (csrf) headers["x-csrf-token"] = csrf;
  return changed(`/api/${path}`, { method, headers, body: JSON.stringify(body) });
}

export async function upload(path, file) {
  const headers = { "content-type": file.type || "application/octet-stream" };
  if (csrf) headers["x-csrf-token"] = csrf;
  return changed(`/api/${path}`, { method: "POST", headers, body: file });
}

async function changed(url, options) {
  sending += 1;
  try {
    return await answer(await asked(url, options));
  } finally {
    sending -= 1;
  }
}

async function asked(url, options) {
  try {
    return await fetch(url, options);
  } catch {
    throw new ApiError(0, t("The server does not answer."));
  }
}

async function answer(response) {
  const text = await response.text();
  let found = null;
  try { found = JSON.parse(text); } catch { found = { detail: response.statusText }; }
  if (response.ok) return found;
  const detail = Array.isArray(found.detail) ? [...new Set(found.detail.map(({ msg }) => told(msg)))].join("; ") : told(found.detail || response.statusText);
  // The session has ended: log in again, and come back to this page.
  if (response.status === 401 && csrf) location.reload();
  throw Object.assign(new ApiError(response.status, detail), { needs: response.headers.get("x-needs") });
}

// Waits until the pipeline has applied a correction, for 30 seconds at most; returns its last state.
export async function waitUntilApplied(submitted) {
  let correction = submitted;
  for (let tries = 0; correction.state === "pending" && tries < 60; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, tries < 10 ? 150 : 500));
    correction = await get(`corrections/${correction.number}`);
  }
  if (correction.state === "refused") throw new ApiError(409, told(correction.outcome));
  return correction;
}

export function socket(path, { message, binary = false, closed = () => {} }) {
  const found = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`);
  if (binary) found.binaryType = "arraybuffer";
  found.onmessage = (event) => message(event.data);
  found.onclose = closed;
  return found;
}
