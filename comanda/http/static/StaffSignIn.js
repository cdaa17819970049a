// The staff token is asked for once a tab.

import { button, label } from "./staff_wording.js";
import { html, useEffect, useRef } from "./view.js";

export function StaffSignIn({ problem, isBusy, onToken }) {
  const field = useRef(null);
  useEffect(() => {
    if (!isBusy) field.current.select(); // a wrong one is typed over
  }, [isBusy]);
  const onSubmit = (event) => {
    event.preventDefault();
    const token = field.current.value.trim();
    if (token) onToken(token);
  };
  return html`
    <main class="staff-door">
      <form class="staff-card" onSubmit=${onSubmit}>
        <h1>${label.title}</h1>
        <label class="field">
          <span>${label.token}</span>
          <input ref=${field} name="token" type="password" required autocomplete="off" autocapitalize="off" spellcheck=${false}
            aria-describedby="token-why" disabled=${isBusy} />
        </label>
        <p class="soft small" id="token-why">${label.tokenWhy}</p>
        <div role="alert">${problem !== null && html`<p class="say bad">${problem}</p>`}</div>
        <button class="wide green" type="submit" disabled=${isBusy}>${isBusy ? button.signingIn : button.signIn}</button>
      </form>
    </main>`;
}
