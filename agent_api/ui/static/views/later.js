// @ts-check
/** Views whose modules are loaded when they are first shown: most readers never open them. */
import { html } from '../vendor/lit-html.js';
import { failure } from '../parts.js';

/** A view that stands for another until that is loaded. */
export function later(title, load) {
  let module = null;
  let isLoading = false;
  let error = null; // stays until the reader tries again
  return {
    title,
    get keys() {
      return module?.keys ?? [];
    },
    view(state) {
      if (module) return module.view(state);
      if (error) return failure(error, () => { error = null; state.redraw(); });
      if (!isLoading) {
        isLoading = true;
        load().then((loaded) => (module = loaded), (why) => { error = why; }).finally(() => { isLoading = false; state.redraw(); });
      }
      return html`<p class="loading" role="status">Loading ${title}…</p>`;
    },
    onKey: (state, event) => module?.onKey?.(state, event) ?? false,
  };
}
