"""Certificates for tests."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import trustme


class Authority:
    """A certificate authority, and files of what it issues."""

    def __init__(self, directory: Path) -> None:
        self.ca = trustme.CA()
        self._directory = directory
        self.ca_file = self.write("ca.pem", self.ca.cert_pem.bytes())

    def write(self, name: str, data: bytes) -> str:
        path = self._directory / name
        path.write_bytes(data)
        return str(path)

    def issue(self, name: str, *hosts: str, **given: Any) -> tuple[str, str]:
        """The files of a certificate, for this machine and other hosts, and of its key."""
        leaf = self.ca.issue_cert("localhost", "127.0.0.1", *hosts, common_name=name, **given)
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        return self.write(f"{name}.pem", chain), self.write(f"{name}.key", leaf.private_key_pem.bytes())

    def trusting(self, *own: str) -> ssl.SSLContext:
        """What a client needs: the root, and perhaps a certificate of its own."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if own:
            context.load_cert_chain(*own)
        return context
