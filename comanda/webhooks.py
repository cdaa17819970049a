"""The secret of Standard Webhooks: the same for the POS that signs and for the server that checks."""

import base64

from standardwebhooks import Webhook

SECRET_PREFIX = "whsec_"


class SecretUnfit(ValueError):
    """A secret that is written otherwise. The text is part of a sentence, and never the secret."""


def webhook_with(secret: str) -> Webhook:
    """What signs and checks with `secret`, which is ``whsec_`` and Base64.

    Raises:
        SecretUnfit: it is not; the library would take much else, and then nothing would fit.
    """
    if not secret.startswith(SECRET_PREFIX):
        raise SecretUnfit(f"it does not begin with {SECRET_PREFIX}")
    key = secret.removeprefix(SECRET_PREFIX)
    try:
        decoded = base64.b64decode(key + "=" * (-len(key) % 4), validate=True)
    except ValueError:
        raise SecretUnfit(f"what follows {SECRET_PREFIX} is not base64") from None
    if not decoded:
        raise SecretUnfit(f"nothing follows {SECRET_PREFIX}")
    return Webhook(decoded)
