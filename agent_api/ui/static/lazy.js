// @ts-check
/** What is loaded when it is first shown: a fresh page is small. */
import { html } from './vendor/lit-html.js';
import { failure } from './parts.js';

/** The sheets that are loaded or on their way, by their path. */
const sheets = new Map();

/** Adds a sheet to the page, once. The player in one file has all of them inside. */
function sheet(href) {
  if (document.querySelector('style[data-all]')) return Promise.resolve();
  const known = sheets.get(href);
  if (known) return known;
  const loaded = new Promise((resolve, reject) => {
    const onerror = () => {
      sheets.delete(href);
      reject(new Error(`${href} cannot be loaded`));
    };
    document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href, onload: resolve, onerror }));
  });
  sheets.set(href, loaded);
  return loaded;
}

/**
 * A module that is loaded with its sheets when it is asked for.
 * @param {() => Promise<any>} load
 * @param {string[]} hrefs its sheets
 */
export function lazy(load, ...hrefs) {
  let isLoading = false;
  const piece = {
    module: /** @type {any} */ (null),
    error: /** @type {any} */ (null), // until the reader tries again
    ready: /** @type {any} */ (null), // a promise: it is loaded, or cannot be
    /** The module, or null while it is on its way: the page is rendered again once it is there. */
    get(state) {
      if (!piece.module && !piece.error && !isLoading) {
        isLoading = true;
        piece.ready = Promise.all([load(), ...hrefs.map(sheet)])
          .then(([module]) => { piece.module = module; }, (error) => { piece.error = error; })
          .finally(() => { isLoading = false; state.redraw(); });
      }
      return piece.module;
    },
  };
  return piece;
}

/**
 * A view that stands for another until that is loaded.
 * @param {string} title
 * @param {() => Promise<any>} load
 * @param {string[]} hrefs
 */
export function later(title, load, ...hrefs) {
  const piece = lazy(load, ...hrefs);
  return {
    title,
    get keys() {
      return piece.module?.keys ?? [];
    },
    view(state) {
      const module = piece.get(state);
      if (module) return module.view(state);
      return html`<h1 class="hidden">${title}</h1>${piece.error ? failure(piece.error, () => { piece.error = null; state.redraw(); })
        : html`<p class="loading" role="status">Loading…</p>`}`;
    },
    load: piece.get,
    onKey: (state, event) => piece.module?.onKey?.(state, event) ?? false,
    onDrawn: (state) => piece.module?.onDrawn?.(state),
  };
}

/** A click that asks before it does something: what asks is loaded by then. */
export const asks = (ask) => async () => ask(await import('./actions.js'));
