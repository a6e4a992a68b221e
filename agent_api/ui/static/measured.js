// @ts-check
/** What no event tells: when each member last acked, how long that took, and by which path. */

const READ_MAX = 200; // members up to which all are read again with each heartbeat

/** Takes what was measured of a member from its latest value. */
export function measured(member, { last_ack, rtt, probe }) {
  Object.assign(member, { last_ack, rtt, probe });
}

/** Reads all members again, once for each heartbeat while a view shows what is measured of them. */
export function refresh(state) {
  const { store } = state;
  if (state.ui.measuredAt === store.pulse || store.members.size > READ_MAX) return;
  state.ui.measuredAt = store.pulse;
  state.ask('v1/swim/members').then(({ members }) => {
    for (const each of members) {
      const known = store.members.get(each.name);
      if (known) measured(known, each);
    }
    state.redraw();
  }, () => undefined); // the stream says what is wrong
}
