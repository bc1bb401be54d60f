/** What handles control events, and lets the handlers of events with a key run once. */
import type { Backplane } from '../backplane/backplane';
import { outcomeStoreOf } from '../cluster/outcomes';
import type { Settings } from '../config/settings';
import { answerHistory, ASK_EVENT } from '../path/history';
import { renewLogin } from '../path/login-renewal';
import { receiveSend } from '../path/once';
import type { Runtime } from '../path/runtime';
import { Outcomes } from '../store/outcomes';

/** @param workers the number of workers on this machine */
export function openControls(runtime: Runtime, backplane: Backplane | undefined, settings: Settings, workers = 1): void {
  const store = outcomeStoreOf(backplane, settings, workers);
  runtime.outcomes = store && new Outcomes(store, settings.idempotencyTtl, () => runtime.limits.report('answers', 'the oldest go first'));
  runtime.controls.set(ASK_EVENT, answerHistory).set('$io:auth', renewLogin).set('$io:send', receiveSend);
}
