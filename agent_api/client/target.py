"""Where an agent is, and how to talk to it: its address, TLS, the token and the region."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import SplitResult, unquote, urlsplit

from agent_api.client.environment import DEFAULT_ADDRESS, DEFAULT_TIMEOUT, value
from swim import ConfigError, checks
from swim.addresses import split_host_port

__all__ = ["Target", "Tls"]

_PORTS = {"http": 80, "https": 443, "unix": 80}
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_SECONDS_MIN = 0.001


class Tls(NamedTuple):
    """TLS of a client; only used with an ``https`` address. Files are in PEM."""

    ca_cert: str = ""
    """File of the certificates that are trusted, in place of the system's."""
    ca_path: str = ""
    """Directory of such files, named by hash as OpenSSL does; not with ``ca_cert``."""
    client_cert: str = ""
    """File of the client's certificate, for an agent that verifies its clients."""
    client_key: str = ""
    """File of the key of ``client_cert``."""
    server_name: str = ""
    """Name that the agent's certificate must have, in place of the address's host."""
    skip_verify: bool = False
    """Accept any certificate."""

    def context(self) -> ssl.SSLContext:
        """For connections to one agent; reads the files.

        Raises:
            ConfigError: naming the field whose file cannot be read or is not in PEM, or if only one of
                certificate and key is given.
        """
        if bool(self.client_cert) != bool(self.client_key):
            raise ConfigError("client_cert", "needs client_key, and client_key needs client_cert")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.ca_cert:
            _load("ca_cert", self.ca_cert, lambda: context.load_verify_locations(cafile=self.ca_cert))
        elif self.ca_path:
            _load("ca_path", self.ca_path, lambda: context.load_verify_locations(capath=self.ca_path))
        else:
            context.load_default_certs()
        if self.client_cert:
            _load("client_cert", self.client_cert, lambda: self._load_own(context))
        return context

    def _load_own(self, context: ssl.SSLContext) -> None:
        # Without a password OpenSSL would ask for it on the terminal.
        context.load_cert_chain(self.client_cert, self.client_key, password=_no_password)


class Target:
    """One agent, as a client addresses it.

    Args:
        address: ``http://HOST:PORT[/PREFIX]``, ``https://...`` or ``unix:///PATH``; a bare ``HOST:PORT``
            means http.
        timeout: seconds to wait for a connection and for each read.
        token: sent with every request; "" for none.
        region: sent with every request; "" for none.
        tls: of an ``https`` address.

    Raises:
        ConfigError: naming ``address``, ``timeout``, ``token`` or ``region``.

    Attributes:
        address: with its scheme.
        timeout: as given.
        token: as given.
        region: as given.
        tls: as given.
    """

    __slots__ = ("_parts", "address", "region", "timeout", "tls", "token")

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        timeout: float = DEFAULT_TIMEOUT,
        token: str = "",
        region: str = "",
        tls: Tls | None = None,
    ) -> None:
        self.address: str = address if "://" in address else f"http://{address}"
        self._parts = _checked(self.address)
        self.timeout: float = checks.number("timeout", timeout, at_least=_SECONDS_MIN)
        for name, text in (("token", token), ("region", region)):
            if not (text.isascii() and text.isprintable()):
                raise ConfigError(name, "must be printable ASCII")
        self.token: str = token
        self.region: str = region
        self.tls: Tls = tls or Tls()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], **given: Any) -> Self:
        """From Nomad's variables and our own (``agent_api.client.environment``); what is given wins.

        Args:
            environ: the variables.
            given: ``timeout``, or any setting that has a variable; "" is not given.

        Raises:
            ConfigError: as the constructor.
        """

        def setting(name: str) -> str:
            return given.get(name) or value(name, environ)

        return cls(
            setting("address") or DEFAULT_ADDRESS,
            given.get("timeout", DEFAULT_TIMEOUT),
            setting("token"),
            setting("region"),
            Tls(
                ca_cert=setting("ca_cert"),
                ca_path=setting("ca_path"),
                client_cert=setting("client_cert"),
                client_key=setting("client_key"),
                server_name=setting("tls_server_name"),
                skip_verify=given.get("tls_skip_verify") or value("tls_skip_verify", environ) in _TRUE,
            ),
        )

    @property
    def scheme(self) -> str:
        """``http``, ``https`` or ``unix``."""
        return self._parts.scheme

    @property
    def host(self) -> str:
        """The host, without brackets; that of a Unix socket is 127.0.0.1, as with Nomad's clients."""
        return self._parts.hostname or "127.0.0.1"

    @property
    def port(self) -> int:
        """The port, or that of the scheme."""
        port = self._parts.port
        return _PORTS[self.scheme] if port is None else port

    @property
    def socket_path(self) -> str:
        """The path of a Unix socket; "" for none."""
        return unquote(self._parts.path) if self.scheme == "unix" else ""

    @property
    def prefix(self) -> str:
        """What every path begins with."""
        return "" if self.scheme == "unix" else self._parts.path.rstrip("/")

    @property
    def headers(self) -> dict[str, str]:
        """Sent with every request."""
        return {"X-Nomad-Token": self.token} if self.token else {}


def _checked(address: str) -> SplitResult:
    wrong = f"{address!r} is not http://HOST:PORT, https://HOST:PORT or unix:///PATH"
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError("address", f"{address!r}: {error}") from None
    if parts.scheme not in _PORTS or not _is_plain(address) or not parts.path.isascii():
        raise ConfigError("address", wrong)
    if parts.scheme == "unix":
        if host or not parts.path.strip("/") or "\0" in unquote(parts.path):
            raise ConfigError("address", wrong)
    elif not host:
        raise ConfigError("address", wrong)
    else:
        split_host_port("address", host, 80)
    return parts


def _is_plain(url: str) -> bool:
    """Whether it contains only characters allowed in a request line."""
    return url.isprintable() and not any(c.isspace() for c in url)


def _load(name: str, path: str, load: Any) -> None:
    try:
        load()
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise ConfigError(name, f"{path}: {reason}") from None


def _no_password() -> str:
    raise ValueError("the key is encrypted: decrypt it, and keep the file readable by its owner only")
