from pathlib import Path
from typing import Any

import pytest

from codex_kernel.model.tls import tls_context
from codex_protocol.errors import ConfigError
from tests.support.certificates import self_signed


def common_name(certificate: dict[str, Any]) -> str | None:
    return dict(pair[0] for pair in certificate["subject"]).get("commonName")


def test_certificates_are_found_where_the_environment_names_them(tmp_path: Path) -> None:
    _, cert = self_signed(tmp_path)
    system = len(tls_context(None, {}).get_ca_certs())
    for env in ({"SSL_CERT_FILE": str(cert)}, {"REQUESTS_CA_BUNDLE": str(cert)}, {"CURL_CA_BUNDLE": str(cert)}):
        assert "localhost" in {common_name(entry) for entry in tls_context(None, env).get_ca_certs()}
    assert len(tls_context(None, {"SSL_CERT_FILE": str(cert)}).get_ca_certs()) == 1
    assert len(tls_context(str(cert), {}).get_ca_certs()) == system + 1


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_certificate_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    for path in (junk, tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match=name) as caught:
            tls_context(None, {name: str(path)})
        assert str(path) in str(caught.value)
    with pytest.raises(ConfigError, match="ca_certificate"):
        tls_context(str(junk), {})
