"""What a POS says unasked: its signature (Standard Webhooks), and the outcome that it tells."""

from collections.abc import Mapping

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
    """Knows the secret that the POS signs with; without one nothing is ever signed well."""

    def __init__(self, secret: str | None) -> None:
        """Args:
        secret: ``whsec_`` and Base64, as the POS has it.

        Raises:
            SecretUnfit: it is not written so.
        """
        self._webhook = None if secret is None else webhook_with(secret)

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
        except (WebhookVerificationError, ValueError) as error:
            # ValueError: the library takes headers apart before it knows that they can be.
            raise BadSignature("The signature is not valid, or older than five minutes") from error


def outcome_heard(body: CallbackBody) -> OutcomeHeard:
    """What a callback tells of an order."""
    by = f"callback {body.event_id}"
    if body.status == "accepted":
        return OutcomeHeard(body.order_id, Accepted(body.pos_reference or ""), by)
    refused = Rejected(body.code or "rejected", body.message or REFUSED, body.retryable)
    return OutcomeHeard(body.order_id, refused, by)
