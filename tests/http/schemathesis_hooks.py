"""Loaded by schemathesis: signs the callbacks that it makes up, as the POS would."""

import os
from typing import Any

import requests
import schemathesis

from tests.signing import signed


class Signed(requests.auth.AuthBase):
    """Signs a request's body, whatever that is."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body: Any = request.body or b""
        request.headers.update(signed(body.encode() if isinstance(body, str) else body))
        return request


if os.environ.get("COMANDA_TEST_SIGNED"):

    @schemathesis.hook
    def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
        """Sign what goes to the callbacks' path."""
        if "callbacks" in case.path:
            kwargs["auth"] = Signed()
