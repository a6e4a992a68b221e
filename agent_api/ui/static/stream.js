// @ts-check
/** One stream of JSON lines, read for as long as the page is open: over breaks, with growing pauses. */

const SILENCE = 12_000; // ms without a line, heartbeats included: the connection is dead
const PAUSES = [0.5, 1, 2, 4, 8, 10]; // seconds

export class Stream {
  /**
   * @param {{ url: string, headers: () => Record<string, string>, onLine: (line: any) => void,
   *   onChange: () => void }} options `onChange` follows every batch of lines and every change of `state`
   */
  constructor(options) {
    this.options = options;
    /** `loading`, `live`, `waiting` (until `retryAt`), `forbidden` or `stopped`. */
    this.state = 'loading';
    this.attempt = 0;
    this.retryAt = 0;
    this.lastAt = NaN; // when the last line came
    this.error = '';
  }

  start() {
    this.stop();
    this.abort = new AbortController();
    this.#run(this.abort);
  }

  /** Tries again at once. */
  retry() {
    if (this.state !== 'live') this.start();
  }

  stop() {
    const abort = this.abort;
    this.abort = undefined;
    abort?.abort();
    clearTimeout(this.timer);
  }

  async #run(abort) {
    try {
      await this.#read(abort);
      this.error = 'the agent ended the stream';
    } catch (error) {
      this.error = error.name === 'AbortError' ? 'the agent is silent' : error.message;
    }
    if (this.abort !== abort || this.state === 'forbidden') return;
    const pause = 1000 * PAUSES[Math.min(this.attempt, PAUSES.length - 1)];
    this.attempt += 1;
    this.retryAt = performance.now() + pause;
    this.#set('waiting');
    this.timer = setTimeout(() => this.start(), pause);
  }

  async #read(abort) {
    const watch = () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => abort.abort(), SILENCE);
    };
    watch();
    const answer = await fetch(this.options.url, { headers: this.options.headers(), signal: abort.signal, cache: 'no-store' });
    if (!answer.ok) {
      const text = (await answer.text()).trim() || `HTTP ${answer.status}`;
      if (answer.status === 401 || answer.status === 403) {
        this.error = text;
        clearTimeout(this.timer);
        this.#set('forbidden');
      }
      throw new Error(text);
    }
    const reader = /** @type {ReadableStream} */ (answer.body).pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      watch();
      const lines = (rest + value).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line) this.options.onLine(JSON.parse(line));
      if (!lines.length) continue;
      this.lastAt = performance.now();
      this.attempt = 0;
      this.#set('live');
    }
  }

  #set(state) {
    this.state = state;
    this.options.onChange();
  }
}
