// Who is at the table: initials in a colour of their own.

import { colourClass, initials } from "./format.js";
import { label } from "./wording.js";
import { html } from "./view.js";

/** A person's initials. The name stands beside it, so it is nothing for a screen reader. */
export const Avatar = ({ member, small = false }) => html`
  <span class=${`avatar ${colourClass(member.member_id)} ${small ? "small-one" : ""}`} aria-hidden="true">
    ${initials(member.name)}
  </span>`;

/** Everybody at the table; who is away is grayed. */
export const People = ({ members, memberId }) => html`
  <ul class="people" aria-label=${label.people}>
    ${members.map((member) => html`
      <li key=${member.member_id} class=${`person ${member.online ? "" : "away"}`}>
        <${Avatar} member=${member} /> <span class="name">${nameOf(member, memberId)}</span>
      </li>`)}
  </ul>`;

function nameOf(member, memberId) {
  if (member.member_id === memberId) return label.youAre(member.name);
  return member.online ? member.name : label.away(member.name);
}
