// @ts-check
/** How other agents see the cluster. This page's agent asks them, after a member has changed; the page itself dials none. */

const PAUSE = 1000; // ms after a change: the others need a moment too

/** A member as another agent has it: what that agent does not say is from here, but for what only it could know. */
function merged(known, name, seen) {
  const rest = known ?? { address: '', port: 0, tags: {}, protocol: [0, 0, 0], delegate: [0, 0, 0] };
  return { ...rest, name, ...seen, since: null, suspicion: null, last_ack: null, rtt: null, probe: null, reason: null };
}

/**
 * @param {any} state
 * @returns {() => void} to be called after every batch of lines
 */
export function followOthers(state) {
  let asked = -1; // the changes that the last question was after
  let pulse = null; // the heartbeat that it was after
  let timer = 0;
  let isSettled = false; // whether all were known and agreed

  async function ask() {
    timer = 0;
    const { store } = state;
    asked = store.changes;
    pulse = store.pulse;
    const answer = await state.ask('v1/swim/views').catch(() => null);
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
    const isDue = store.changes !== asked || (!isSettled && store.pulse !== pulse);
    if (isDue && !timer && store.self) timer = setTimeout(ask, asked < 0 ? 0 : PAUSE);
  };
}
