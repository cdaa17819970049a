"""What a POS does to sign a callback, written down after Standard Webhooks and without our library for it."""

import base64
import hashlib
import hmac
import time

KEY = bytes(range(24))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(KEY[::-1]).decode()


def signed(
    body: bytes, *, key: bytes = KEY, seconds_from_now: float = 0.0, event: str = "evt-1"
) -> dict[str, str]:
    """The three headers that go with `body`."""
    at = str(int(time.time() + seconds_from_now))
    signature = hmac.digest(key, f"{event}.{at}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": event,
        "webhook-timestamp": at,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }
