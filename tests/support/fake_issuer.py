"""A login issuer on loopback: authorize, token, refresh and device endpoints, strict about everything a real one is.

Refresh tokens work once, codes work once, PKCE is checked. `fail` makes the next answers of a grant go wrong.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CLAIMS = "https://api.openai.com/auth"


def jwt(**claims: Any) -> str:
    """An unsigned token with these claims."""
    parts = ({"alg": "none"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "c2ln"])


def id_token(*, email: str = "me@example.com", plan: str | None = "pro", account: str = "acc-1") -> str:
    claims = {"chatgpt_account_id": account} | ({"chatgpt_plan_type": plan} if plan else {})
    return jwt(email=email, **{CLAIMS: claims})


class FakeIssuer:
    """What the issuer knows, and what it saw."""

    def __init__(self) -> None:
        self.url = ""
        self.account = "acc-1"
        self.lifetime_s = 3600.0
        self.gives_api_key = False
        self.pending_polls = 0
        """How many polls of a device code are answered with "not yet"."""
        self.during_refresh: Callable[[], object] | None = None
        """Called while a refresh is being answered."""
        self.fails: dict[str, list[tuple[int, bytes]]] = {}
        """Answers by grant, used up one by one before the grant works again."""
        self.seen: list[tuple[str, dict[str, str]]] = []
        """Grant or path, and the fields of each request."""
        self.codes: dict[str, dict[str, str]] = {}
        self.refresh_tokens: set[str] = {"refresh-0"}
        self._count = 0
        self._lock = threading.Lock()

    def fail(self, grant: str, status: int, body: bytes = b"", times: int = 1) -> None:
        self.fails.setdefault(grant, []).extend([(status, body)] * times)

    def counts(self) -> Counter[str]:
        return Counter(kind for kind, _ in self.seen)

    def browse(self, authorize_url: str) -> str:
        """What a browser does at the issuer's page: log in; the address it is sent back to."""
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(authorize_url).query))
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = self.new_code(query["code_challenge"], query["redirect_uri"])
        return f"{query['redirect_uri']}?{urllib.parse.urlencode({'code': code, 'state': query['state']})}"

    def new_code(self, challenge: str, redirect_uri: str) -> str:
        with self._lock:
            self._count += 1
            code = f"code-{self._count}"
            self.codes[code] = {"challenge": challenge, "redirect_uri": redirect_uri}
        return code

    def answer(self, path: str, fields: dict[str, str]) -> tuple[int, Any]:
        grant = fields.get("grant_type", path).rpartition(":")[2]
        with self._lock:
            self.seen.append((grant, fields))
            if self.fails.get(grant):
                return self.fails[grant].pop(0)
        match grant:
            case "authorization_code":
                return self._exchange(fields)
            case "refresh_token":
                if self.during_refresh is not None:
                    self.during_refresh()
                with self._lock:
                    if fields["refresh_token"] not in self.refresh_tokens:
                        return 400, {"error": {"code": "refresh_token_reused", "message": fields["refresh_token"]}}
                    self.refresh_tokens.discard(fields["refresh_token"])
                return 200, self._tokens()
            case "token-exchange":
                return (200, {"access_token": "sk-exchanged"}) if self.gives_api_key else (403, {"error": "no"})
            case "/api/accounts/deviceauth/usercode":
                return 200, {"device_auth_id": "dev-1", "user_code": "ABCD-EFGH", "interval": "2"}
            case "/api/accounts/deviceauth/token":
                return self._device(fields)
            case _:
                return 404, {}

    def _exchange(self, fields: dict[str, str]) -> tuple[int, Any]:
        known = self.codes.pop(fields["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(fields["code_verifier"].encode()).digest()).rstrip(b"=")
        if known is None or known != {"challenge": challenge.decode(), "redirect_uri": fields["redirect_uri"]}:
            return 400, {"error": "invalid_grant", "error_description": fields["code_verifier"]}
        return 200, self._tokens()

    def _device(self, fields: dict[str, str]) -> tuple[int, Any]:
        assert fields == {"device_auth_id": "dev-1", "user_code": "ABCD-EFGH"}
        if self.pending_polls > 0:
            self.pending_polls -= 1
            return 403, {"error": "authorization_pending"}
        verifier = "device-verifier"
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        code = self.new_code(challenge, f"{self.url}/deviceauth/callback")
        return 200, {"authorization_code": code, "code_challenge": challenge, "code_verifier": verifier}

    def _tokens(self) -> dict[str, str]:
        with self._lock:
            self._count += 1
            count = self._count
            self.refresh_tokens.add(f"refresh-{count}")
        return {
            "id_token": id_token(account=self.account),
            "access_token": jwt(n=count, exp=int(time.time() + self.lifetime_s)),
            "refresh_token": f"refresh-{count}",
        }


@contextlib.contextmanager
def fake_issuer() -> Generator[FakeIssuer]:
    """A running issuer; `issuer.url` is its address."""
    issuer = FakeIssuer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_json = "json" in self.headers["Content-Type"]
            fields = json.loads(body) if is_json else dict(urllib.parse.parse_qsl(body.decode()))
            status, answer = issuer.answer(self.path, fields)
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that hung up is no failure of the issuer's."""
            del request, client_address

    server = Server(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def visit(url: str, *, host: str | None = None, method: str = "GET", **headers: str) -> tuple[int, str, str]:
    """Status, Location and body, as a browser sees them; redirects are not followed. Blocks: call it in a thread."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=10)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = {"Host": host or parts.netloc} | {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, headers=sent)
        response = connection.getresponse()
        return response.status, response.headers.get("Location", ""), response.read().decode()
    finally:
        connection.close()
