"""The secret of callbacks, for the POS that signs and for the server that checks."""

from datetime import UTC, datetime

import pytest

from comanda.webhooks import SecretUnfit, webhook_with

START = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "secret",
    ["whsec_", "MfKQ9r8G", "whsec_MfKQ 9r8", "whsec_MfKQ!", "whsec_M", "whsec_====", "whsec_é"],
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(SecretUnfit) as refused:
        webhook_with(secret)
    assert secret == "whsec_" or secret.removeprefix("whsec_") not in str(refused.value)


@pytest.mark.parametrize("secret", ["whsec_c2VjcmV0cw==", "whsec_c2VjcmV0cw"])
def test_a_secret_is_read_with_and_without_its_padding(secret: str) -> None:
    signed = webhook_with(secret).sign("id", START, "body")
    assert signed == webhook_with("whsec_c2VjcmV0cw==").sign("id", START, "body")
