// @ts-check
/** How other agents see the cluster. This page's agent asks them, after a member has changed; the page itself dials none. */

const PAUSE = 1000; // ms after a change: the others need a moment too

const MEASURED_MAX = 40; // members up to which the matrix shows what each agent knows first-hand

/** A member as another agent has it: what that agent does not say is from here, but for what only it could know. */
function merged(known, name, { tags: digest, ...seen }) {
  const rest = known ?? { address: '', port: 0, tags: {}, protocol: [0, 0, 0], delegate: [0, 0, 0] };
  return { ...rest, since: null, suspicion: null, last_ack: null, rtt: null, probe: null, reason: null, ...seen, name, digest };
}

/**
 * @param {any} state
 * @returns {() => void} to be called after every batch of lines, and when the view changes
 */
export function followOthers(state) {
  let asked = -1; // the changes that the last question was after
  let pulse = null; // the heartbeat that it was after
  let timer = 0;
  let isSettled = false; // whether all were known and agreed
  let isMeasured = false; // whether they said what they know first-hand
  const wantsMeasures = () => Boolean(state.view?.isWhole) && state.store.members.size <= MEASURED_MAX;

  async function ask() {
    timer = 0;
    const { store } = state;
    asked = store.changes;
    pulse = store.pulse;
    isMeasured = wantsMeasures();
    const answer = await state.ask(`v1/swim/views${isMeasured ? '?measured=true' : ''}`).catch(() => null);
    if (!answer) return; // not allowed with this token, or the stream says more
    // With this agent's own view as it was at the same moment: what has changed since is no disagreement.
    store.views = new Map(answer.views.map(({ agent, error, members }) => {
      const cells = members && new Map(Object.entries(members).map(([name, seen]) => [name, merged(store.members.get(name), name, seen)]));
      return [agent, { error, members: cells ?? undefined, isFixed: true }];
    }));
    const digests = new Set(answer.views.map((view) => view.digest));
    isSettled = digests.size === 1 && !digests.has(null);
    store.version += 1;
    state.redraw();
  }

  return () => {
    const { store } = state;
    const isNew = asked < 0 || (wantsMeasures() && !isMeasured);
    const isDue = isNew || store.changes !== asked || ((!isSettled || wantsMeasures()) && store.pulse !== pulse);
    if (isDue && !timer && store.self) timer = setTimeout(ask, isNew ? 0 : PAUSE);
  };
}
