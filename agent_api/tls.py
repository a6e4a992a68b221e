"""The certificate of the HTTP API, from files that are checked before they are used."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from swim import ConfigError, checks
from swim.text import shown

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["Tls"]

_DATE = "%Y-%m-%d at %H:%M:%S UTC"
_MISMATCHES = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH")
_WEAKNESSES = ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK")
"""OpenSSL's reasons."""


class Tls:
    """A certificate with its key, and whether clients need one too. Read and checked when it is made.

    Named as in Nomad's ``tls`` block. A server's new connections use ``context``; open ones are not affected
    by a change.

    Args:
        cert_file: PEM; the certificate first, then those between it and its root.
        key_file: PEM, without a passphrase.
        ca_file: PEM; the roots that clients' certificates are checked against.
        verify_https_client: only clients with a certificate of ``ca_file`` can connect (mutual TLS).

    Raises:
        ConfigError: naming ``tls_cert_file``, ``tls_key_file`` or ``tls_ca_file``: the file is missing,
            cannot be read or is no PEM, the key is not the certificate's, or a certificate has expired or is
            not valid yet.

    Attributes:
        context: of new connections.
    """

    __slots__ = ("ca_file", "cert_file", "context", "key_file", "verify_https_client")

    def __init__(
        self, cert_file: str, key_file: str, *, ca_file: str = "", verify_https_client: bool = False
    ) -> None:
        self.cert_file: str = checks.text("tls_cert_file", cert_file)
        self.key_file: str = checks.text("tls_key_file", key_file)
        self.ca_file: str = checks.text("tls_ca_file", ca_file)
        self.verify_https_client: bool = checks.flag("tls_verify_https_client", verify_https_client)
        self.context: ssl.SSLContext = self._read()

    def __repr__(self) -> str:
        return (
            f"Tls({self.cert_file!r}, {self.key_file!r}, ca_file={self.ca_file!r}, "
            f"verify_https_client={self.verify_https_client!r})"
        )

    def reload(self) -> None:
        """Reads the files again, for new connections. Raises as the constructor; then nothing changes."""
        self.context = self._read()

    def adopt(self, other: Tls) -> None:
        """Takes over all of ``other``, for new connections."""
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))

    def _read(self) -> ssl.SSLContext:
        for field, path in (("tls_cert_file", self.cert_file), ("tls_key_file", self.key_file)):
            if not path:
                raise ConfigError(field, "is needed for HTTPS")
        if self.verify_https_client and not self.ca_file:
            raise ConfigError("tls_ca_file", "is needed to verify the certificates of clients")
        _check_dates("tls_cert_file", self.cert_file, _certificates("tls_cert_file", self.cert_file))
        if b"ENCRYPTED" in _text_of("tls_key_file", self.key_file):
            raise ConfigError("tls_key_file", f"{self.key_file} is encrypted; it must have no passphrase")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols(["http/1.1"])
        self._load_key(context)
        if self.ca_file:
            self._load_roots(context)
        return context

    def _load_key(self, context: ssl.SSLContext) -> None:
        try:
            # Without a passphrase from here, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self.cert_file, self.key_file, password="")
        except OSError as error:
            reason = getattr(error, "reason", None)
            if reason in _WEAKNESSES:
                raise ConfigError("tls_cert_file", f"{self.cert_file}: its key or hash is too weak") from None
            is_other = reason in _MISMATCHES
            why = f"is not the key of {self.cert_file}" if is_other else "holds no private key in PEM format"
            raise ConfigError("tls_key_file", f"{self.key_file} {why}") from None

    def _load_roots(self, context: ssl.SSLContext) -> None:
        _check_dates("tls_ca_file", self.ca_file, _certificates("tls_ca_file", self.ca_file), most=True)
        try:
            context.load_verify_locations(self.ca_file)
        except OSError:
            raise ConfigError("tls_ca_file", f"{self.ca_file} is no list of certificates") from None
        if self.verify_https_client:
            context.verify_mode = ssl.CERT_REQUIRED


def _text_of(field: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(field, f"{path}: {reason}") from None


def _certificates(field: str, path: str) -> Sequence[Certificate]:
    """The certificates of a PEM file: at least one."""
    from cryptography.x509 import load_pem_x509_certificates  # slow to import, and most agents serve HTTP

    text = _text_of(field, path)
    try:
        return load_pem_x509_certificates(text)
    except ValueError:
        raise ConfigError(field, f"{path} holds no certificate in PEM format") from None


def _check_dates(field: str, path: str, found: Sequence[Certificate], *, most: bool = False) -> None:
    """Refuses certificates out of their time: any of a chain, and of a list of roots only all of them."""
    now = datetime.now(UTC)
    wrong = []
    for certificate in found:
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not first <= now <= last:
            change = f"expired on {last:{_DATE}}" if now > last else f"begins on {first:{_DATE}}"
            wrong.append(f"{shown(certificate.subject.rfc4514_string())} {change}")
    if wrong and (not most or len(wrong) == len(found)):
        raise ConfigError(field, f"{path}: {wrong[0]}")
