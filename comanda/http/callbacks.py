"""What a POS says unasked: its signature (Standard Webhooks), and the outcome that it tells."""

import base64
from collections.abc import Mapping

import standardwebhooks

from comanda.actors.domain.inputs import OutcomeHeard
from comanda.actors.domain.messages import CallbackBody
from comanda.actors.domain.order import Accepted, Rejected

REFUSED = "The kitchen has refused the order"
"""What guests read where a POS refuses and does not say why."""

SECRET_PREFIX = "whsec_"

MIN_SECRET_BYTES = 24
"""Standard Webhooks, "Signature scheme": a shorter secret could be guessed."""


class BadSignature(Exception):
    """Not signed with our secret, too old, or too new. The text is a sentence for whoever sent it."""


class SecretUnusable(ValueError):
    """The secret is none that Standard Webhooks know. The text is a sentence."""


class CallbackSignatures:
    """Knows the secret that the POS signs with; without one nothing is ever signed well."""

    def __init__(self, secret: str | None) -> None:
        """Args:
        secret: ``whsec_`` and Base64, as the POS has it.

        Raises:
            SecretUnusable: it is not written so.
        """
        self._webhook: standardwebhooks.Webhook | None = None
        if secret is not None:
            self._webhook = standardwebhooks.Webhook(_key_in(secret))

    def check(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Return where `body` is signed, at most five minutes ago.

        Raises:
            BadSignature: it is not, or no secret is known here.
        """
        if self._webhook is None:
            raise BadSignature(
                "This server knows no secret of a POS; give it one to take callbacks"
            )
        try:
            self._webhook.verify(body, dict(headers), json_parse=False)
        except (standardwebhooks.WebhookVerificationError, ValueError) as error:
            # ValueError: the library takes headers apart before it knows that they can be.
            raise BadSignature("The signature is not valid, or older than five minutes") from error


def _key_in(secret: str) -> bytes:
    """The key itself. The library would skip what is no Base64, and so sign with a shorter one."""
    if not secret.startswith(SECRET_PREFIX):
        raise SecretUnusable(f"it is not {SECRET_PREFIX} followed by Base64")
    text = secret.removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise SecretUnusable(f"it is not {SECRET_PREFIX} followed by Base64") from error
    if len(key) < MIN_SECRET_BYTES:
        raise SecretUnusable(f"it holds {len(key)} bytes, and must hold {MIN_SECRET_BYTES} or more")
    return key


def outcome_heard(body: CallbackBody) -> OutcomeHeard:
    """What a callback tells of an order."""
    by = f"callback {body.event_id}"
    if body.status == "accepted":
        return OutcomeHeard(body.order_id, Accepted(body.pos_reference or ""), by)
    refused = Rejected(body.code or "rejected", body.message or REFUSED, body.retryable)
    return OutcomeHeard(body.order_id, refused, by)
