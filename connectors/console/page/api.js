// What the server is asked. Every change carries the session's token.

let csrf = null;

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function knownAs(me) {
  csrf = me.csrf;
}

export async function get(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  return answer(await fetch(`/api/${path}${query.size ? `?${query}` : ""}`));
}

export async function send(path, body = {}, method = "POST") {
  const headers = { "content-type": "application/json" };
  if (csrf) headers["x-csrf-token"] = csrf;
  return answer(await fetch(`/api/${path}`, { method, headers, body: JSON.stringify(body) }));
}

export async function upload(path, file) {
  const headers = { "content-type": file.type || "application/octet-stream" };
  if (csrf) headers["x-csrf-token"] = csrf;
  return answer(await fetch(`/api/${path}`, { method: "POST", headers, body: file }));
}

async function answer(response) {
  const text = await response.text();
  let found = null;
  try { found = JSON.parse(text); } catch { found = { detail: response.statusText }; }
  if (response.ok) return found;
  const detail = Array.isArray(found.detail) ? found.detail.map((each) => `${each.loc.at(-1)}: ${each.msg}`).join("; ") : found.detail;
  throw new Refused(response.status, detail || response.statusText);
}

// An order is done when the line has carried it out; returns how it ended.
export async function ordered(placed) {
  let order = placed;
  for (let tries = 0; order.state === "pending" && tries < 60; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, tries < 10 ? 150 : 500));
    order = await get(`orders/${order.number}`);
  }
  if (order.state === "refused") throw new Refused(409, order.outcome);
  return order;
}

export function socket(path, { message, binary = false, closed = () => {} }) {
  const found = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`);
  if (binary) found.binaryType = "arraybuffer";
  found.onmessage = (event) => message(event.data);
  found.onclose = closed;
  return found;
}
