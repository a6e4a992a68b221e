// @ts-check
/** Where traces come from: a file of the reader, the program that serves the page, the page itself. */

/** @typedef {import('./player.js').Source} Source */

/** A file that was chosen or dropped. @param {File} file @returns {Source} */
export function fromFile(file) {
  return { name: file.name, size: file.size, open: async () => file.stream() };
}

/** The traces that `swim sim play` serves beside the page; none if it was not started with one. @returns {Promise<Source[]>} */
export async function fromServer() {
  const answer = await fetch(new URL('../traces', location.href)).catch(() => null);
  if (!answer?.ok) return [];
  const { traces } = await answer.json();
  return traces.map((/** @type {{name: string, url: string, size: number}} */ { name, url, size }) => ({
    name,
    size,
    open: async () => {
      const response = await fetch(new URL(`../${url}`, location.href));
      if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
      return response.body;
    },
  }));
}

/** The transitions and faults of `swim cluster` so far. @param {URL} home @returns {Source} */
export function fromCluster(home) {
  const open = async () => {
    const response = await fetch(new URL('v1/cluster/trace', home));
    if (!response.ok || !response.body) throw new Error((await response.text()) || `HTTP ${response.status}`);
    return response.body;
  };
  return { name: 'swim cluster, so far', open };
}

/** A trace inside a page that is a single file: gzip in base64. @param {string} id @returns {Source | null} */
export function fromPage(id) {
  const element = document.getElementById(id);
  if (element === null) return null;
  const open = async () => {
    const text = atob((element.textContent ?? '').trim());
    return new Blob([Uint8Array.from(text, (each) => each.charCodeAt(0))]).stream();
  };
  return { name: element.dataset.name ?? 'trace', open };
}
