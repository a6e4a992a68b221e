// @ts-check
/** What happened, in words. Pure: text in, text out. */
import { isolated, plural, span } from './format.js';

/** What each event of a member says of it. */
export const VERBS = {
  MemberJoined: 'joined', MemberRestarted: 'restarted', MemberUpdated: 'changed', MemberSuspected: 'suspected', MemberAccused: 'accused by one more', MemberRefuted: 'refuted',
  MemberLeaving: 'is leaving', MemberLeft: 'left', MemberFailed: 'failed', MemberReaped: 'was forgotten',
};

const CAUSES = {
  claim: (by) => `claim by ${by}`,
  'push-pull': (by) => `push/pull with ${by}`,
  intent: () => 'intent',
  probe: (by) => `probe by ${by}`,
  'suspicion-expired': () => 'suspicion expired',
  refused: () => 'its host refuses streams',
  acked: () => 'it acked',
  unanswered: (by) => `claim by ${by}, and no ack to a ping`,
  operator: () => 'operator',
  local: () => 'this node itself',
  reap: () => 'age',
  prune: () => 'pruned',
  limit: () => 'the table is full',
};

/** Why: the cause in words, and its details. */
export function reasonOf({ cause, accuser, detail }) {
  const words = CAUSES[cause]?.(isolated(accuser || 'a member')) ?? cause ?? '';
  return detail ? `${words}: ${isolated(detail)}` : words;
}

/** One line of the feed, without its time. */
export function sentenceOf(entry) {
  switch (entry.kind) {
    case 'member':
      return `${isolated(entry.name)} ${VERBS[entry.event] ?? entry.event} (${reasonOf(entry)})`;
    case 'gap':
      return `${plural(entry.count, 'event')} lost: this page was too slow, and has read all members again`;
    case 'reconnect':
      return 'connected again: what happened meanwhile is in the members, not in this list';
    case 'jump':
      return `the agent's clock jumped by ${entry.by < 0 ? '−' : '+'}${span(Math.abs(entry.by))}`;
    case 'snapshot':
      return `${plural(entry.count, 'member')} read`;
    case 'action':
      return `${isolated(entry.name)}: ${isolated(entry.detail)}`;
    default:
      return `${entry.event === 'UserEvent' ? 'user event' : entry.event === 'Query' ? 'query' : 'message'} ${isolated(entry.name ?? '')}${entry.source ? ` from ${isolated(entry.source)}` : ''}`;
  }
}
