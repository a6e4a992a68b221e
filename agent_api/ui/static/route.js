// @ts-check
/** What is on the screen as the address's hash: `#/members?from=node-2&member=node-3`. A link makes the same screen. */

/** @returns {{ view: string, [parameter: string]: string }} */
export function parseRoute(hash) {
  const [path, query] = hash.replace(/^#\/?/, '').split('?');
  return { ...Object.fromEntries(new URLSearchParams(query ?? '')), view: decodeURIComponent(path) };
}

/** The hash of a route; empty parameters are left out. */
export function hashOf({ view, ...parameters }) {
  const kept = Object.entries(parameters).filter(([, value]) => value !== '' && value !== undefined && value !== null);
  const query = new URLSearchParams(kept.map(([key, value]) => [key, String(value)])).toString();
  return `#/${encodeURIComponent(view)}${query ? `?${query}` : ''}`;
}
