"""TLS by the server itself: a certificate and its key, read once at the start."""

import ssl
from pathlib import Path

from comanda.config import Settings, SettingsUnusable


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """What a server speaks TLS with, of version 1.2 or newer; None where the settings name no certificate.

    Raises:
        SettingsUnusable: one of the two files cannot be read, is no PEM, is protected by a passphrase, or
            the key is not the certificate's.
    """
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    for name, file in (
        ("tls_certificate", settings.tls_certificate),
        ("tls_key", settings.tls_key),
    ):
        _look_at(name, file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A peer that renegotiates without end would cost a handshake each time. TLS 1.3 has none.
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, _no_passphrase)
    except (ssl.SSLError, OSError, ValueError) as error:
        why = getattr(error, "reason", None) or str(error)
        raise SettingsUnusable(
            f"tls_certificate: {settings.tls_certificate} and {settings.tls_key} are no certificate and "
            f"its key in PEM, without a passphrase: {why}"
        ) from None
    return context


def _look_at(name: str, file: Path) -> None:
    try:
        file.read_bytes()
    except OSError as error:
        raise SettingsUnusable(f"{name}: {file} cannot be read: {error.strerror}") from None


def _no_passphrase() -> str:
    """OpenSSL would ask on the terminal."""
    raise ValueError("the key is protected by a passphrase")
