// What a page shows is in its address, so that it can be sent to somebody, and a reload changes nothing.

export function shown() {
  return Object.fromEntries(new URLSearchParams(location.hash.split("?")[1] ?? ""));
}

// Puts filters into the address, without a step in the history for each.
export function keep(filters) {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== "" && value !== null && value !== undefined));
  history.replaceState(null, "", `${location.hash.split("?")[0]}${query.size ? `?${query}` : ""}`);
}
