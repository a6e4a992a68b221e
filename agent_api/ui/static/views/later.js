// @ts-check
/** Views whose modules are loaded when they are first shown: most readers never open them. */
import { html } from '../vendor/lit-html.js';

/** A view that stands for another until that is loaded. */
export function later(title, load) {
  let module = null;
  let isLoading = false;
  return {
    title,
    get keys() {
      return module?.keys ?? [];
    },
    view(state) {
      if (module) return module.view(state);
      if (!isLoading) {
        isLoading = true;
        load().then((loaded) => (module = loaded), () => (isLoading = false)).finally(state.redraw);
      }
      return html`<p class="loading" role="status">Loading ${title}…</p>`;
    },
    onKey: (state, event) => module?.onKey?.(state, event) ?? false,
  };
}
