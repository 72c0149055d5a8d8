"""Whom we trust: the system's certificates, those the user names in the environment, and a provider's own."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping

from codex_protocol.errors import ConfigError

BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/opt/homebrew/etc/openssl@3/cert.pem",
)
_EXTRA = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def tls_context(ca_certificate: str | None = None, env: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """A client's TLS context; building one takes 10 to 60 ms, so that plain HTTP never asks for it.

    Trusted are what SSL_CERT_FILE and SSL_CERT_DIR name, else OpenSSL's own places, else the usual bundles, else
    certifi; besides these what REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names (set by companies whose proxy opens TLS).

    Args:
        ca_certificate: PEM file of a provider, trusted besides the others.
        env: Where the variables are looked up.

    Raises:
        ConfigError: A certificate file that somebody named cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    named_file, named_dir = env.get("SSL_CERT_FILE"), env.get("SSL_CERT_DIR")
    if named_file or named_dir:
        _load(context, named_file, named_dir, "SSL_CERT_FILE" if named_file else "SSL_CERT_DIR")
    else:
        _load_system(context)
    for name in _EXTRA:
        path = env.get(name)
        if path:
            _load(context, *((None, path) if os.path.isdir(path) else (path, None)), name)
            break
    if ca_certificate:
        _load(context, os.path.expanduser(ca_certificate), None, "ca_certificate")
    return context


def _load(context: ssl.SSLContext, file: str | None, directory: str | None, named_by: str) -> None:
    try:
        context.load_verify_locations(cafile=file or None, capath=directory or None)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = (
            error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "no PEM certificates in it"
        )
        raise ConfigError(f"Certificates named by {named_by} cannot be read: {file or directory}: {reason}.") from None


def _load_system(context: ssl.SSLContext) -> None:
    places = ssl.get_default_verify_paths()
    if places.capath and _has_entries(places.capath):
        context.load_verify_locations(capath=places.capath)  # looked up when needed: 40 ms less than a whole bundle
        return
    for bundle in (places.cafile, *BUNDLES):
        if bundle and os.path.isfile(bundle):
            context.load_verify_locations(cafile=bundle)
            return
    import certifi

    context.load_verify_locations(cafile=certifi.where())


def _has_entries(directory: str) -> bool:
    """Whether a certificate directory holds entries by hash, the only ones OpenSSL finds there."""
    try:
        return any(name.endswith(".0") for name in os.listdir(directory))
    except OSError:
        return False
