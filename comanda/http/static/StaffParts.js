// What the staff's screens have in common.

import { note } from "./staff_wording.js";
import { html, useEffect, useRef, useState } from "./view.js";

/** `run(action)` awaits `action()`, then `onDone()`. While it runs `isBusy` is true; `problem` is why it failed. */
export function useAction(onDone) {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const run = async (action) => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    try {
      await action();
      await onDone();
    } catch (error) {
      setProblem(error.message);
    }
    setBusy(false);
  };
  return { isBusy, problem, run };
}

/** Why something failed; screen readers hear it. */
export const Failure = ({ problem }) => html`
  <div role="alert">${problem !== null && html`<p class="say bad small">${note.failed(problem)}</p>`}</div>`;

/** The ref of what gets the focus when it is drawn first. */
export function useFocusOnMount() {
  const target = useRef(null);
  useEffect(() => target.current?.focus(), []);
  return target;
}

/** A ref that gets the focus back when `isOpen` has become false: of the button that opened something. */
export function useFocusBack(isOpen) {
  const opener = useRef(null);
  const wasOpen = useRef(false);
  useEffect(() => {
    if (wasOpen.current && !isOpen) opener.current?.focus();
    wasOpen.current = isOpen;
  }, [isOpen]);
  return opener;
}
