"""What a POS says unasked: its signature (Standard Webhooks), and the outcome that it tells."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from standardwebhooks import WebhookVerificationError

from comanda.actors.domain.inputs import OutcomeHeard
from comanda.actors.domain.messages import CallbackBody
from comanda.actors.domain.order import Accepted, Rejected
from comanda.webhooks import webhook_with

REFUSED = "The kitchen has refused the order"
"""What guests read where a POS refuses and does not say why."""


class BadSignature(Exception):
    """Not signed with our secret, too old, or too new. The text is a sentence for whoever sent it."""


class CallbackSignatures:
    """Knows the secrets that the POS may sign with; without one nothing is ever signed well."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Args:
        secrets: ``whsec_`` and Base64, as the POS has it; two while one takes the other's place.

        Raises:
            SecretUnfit: one is not written so.
        """
        self._webhooks = tuple(webhook_with(secret) for secret in secrets)

    def check(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Return where `body` is signed with one of the secrets, at most five minutes ago.

        Raises:
            BadSignature: it is not, or no secret is known here.
        """
        if not self._webhooks:
            raise BadSignature(
                "This server knows no secret of a POS; give it one to take callbacks"
            )
        for webhook in self._webhooks:
            # ValueError: the library takes headers apart before it knows that they can be.
            with suppress(WebhookVerificationError, ValueError):
                webhook.verify(body, dict(headers), json_parse=False)
                return
        raise BadSignature("The signature is not valid, or older than five minutes")


def outcome_heard(body: CallbackBody) -> OutcomeHeard:
    """What a callback tells of an order."""
    by = f"callback {body.event_id}"
    if body.status == "accepted":
        return OutcomeHeard(body.order_id, Accepted(body.pos_reference or ""), by)
    refused = Rejected(body.code or "rejected", body.message or REFUSED, body.retryable)
    return OutcomeHeard(body.order_id, refused, by)
