// @ts-check
/** Records what happens, packets included, for as long as it is wanted. */
import { html } from './vendor/lit-html.js';

const BYTES_MAX = 64 * 1024 * 1024;

/** The button that begins and ends a recording; what was recorded can be saved. */
export function recordButton(state) {
  const recording = state.ui.recording;
  if (!recording) return html`<button class="small record" @click=${() => begin(state)}><span aria-hidden="true">●</span> record packets</button>`;
  if (recording.url) {
    return html`<a class="button" download="swim-recording.jsonl" href=${recording.url}>save the recording (${recording.lines.toLocaleString('en')} records)</a>
      <button class="small" @click=${() => replay(state, recording.blob)}>open in replay</button>
      <button class="quiet small" @click=${() => forget(state)}>forget it</button>${recording.why ? html`<span class="faint">${recording.why}</span>` : ''}`;
  }
  return html`<button class="small record" data-on="true" aria-pressed="true" @click=${() => recording.abort.abort()}><span aria-hidden="true">■</span> stop: ${recording.lines.toLocaleString('en')} records</button>`;
}

async function replay(state, blob) {
  const { openFile } = await import('./views/replay.js');
  state.go({ view: 'replay' });
  await openFile(state, new File([blob], 'swim-recording.jsonl'));
}

function forget(state) {
  URL.revokeObjectURL(state.ui.recording.url);
  state.ui.recording = null;
  state.redraw();
}

async function begin(state) {
  const recording = { abort: new AbortController(), lines: 0, why: '', url: '', blob: /** @type {Blob | null} */ (null) };
  state.ui.recording = recording;
  const parts = [];
  let bytes = 0;
  try {
    const answer = await fetch(new URL('v1/cluster/trace?level=all&follow=true', state.home), { signal: recording.abort.signal });
    if (!answer.ok) throw new Error(await answer.text());
    const reader = /** @type {ReadableStream} */ (answer.body).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || bytes > BYTES_MAX) {
        recording.why = done ? 'The cluster ended it: this page was too slow, or the cluster is over.' : 'It is as long as a page can keep.';
        recording.abort.abort();
        break;
      }
      parts.push(value);
      bytes += value.length;
      for (const byte of value) recording.lines += byte === 10 ? 1 : 0;
      state.redraw();
    }
  } catch (error) {
    if (error.name !== 'AbortError') recording.why = error.message;
  }
  recording.blob = whole(parts);
  recording.url = URL.createObjectURL(recording.blob);
  state.redraw();
}

/** The records up to the end of the last whole line. */
function whole(parts) {
  const last = parts.at(-1);
  if (last) parts[parts.length - 1] = last.subarray(0, last.lastIndexOf(10) + 1);
  return new Blob(parts, { type: 'application/x-ndjson' });
}
