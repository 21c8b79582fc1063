"""An OpenID Connect issuer in this process: real HTTP, real keys, real signatures."""

import base64
import hmac
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

AUDIENCE = "retort"


class LocalIssuer:
    """Publishes `keys`; `asked` counts how often each path was fetched."""

    def __init__(self):
        self.keys = {"rsa-1": RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})}
        self.asked = []
        self.status = 200
        self.location = None
        self.delay = 0.0
        self.says = {}
        self.junk = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                time.sleep(outer.delay)
                body = json.dumps(outer.document(self.path)).encode()
                self.send_response(outer.status)
                if outer.location:
                    self.send_header("Location", outer.location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/realms/lab"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def document(self, path):
        if path.endswith("/.well-known/openid-configuration"):
            return {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"} | self.says
        return {"keys": [key.as_dict(private=False) for key in self.keys.values()] + self.junk}

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def add(self, kind, kid):
        made = {
            "RSA": lambda: RSAKey.generate_key(2048, {"kid": kid, "use": "sig"}),
            "P-256": lambda: ECKey.generate_key("P-256", {"kid": kid, "use": "sig"}),
            "P-384": lambda: ECKey.generate_key("P-384", {"kid": kid, "use": "sig"}),
            "Ed25519": lambda: OKPKey.generate_key("Ed25519", {"kid": kid, "use": "sig"}),
        }
        self.keys[kid] = made[kind]()
        return self.keys[kid]

    def token(self, *, key=None, alg="RS256", header=None, without=(), **claims):
        """Signed; a member of `claims` takes the place of the ordinary one."""
        key = key or self.keys["rsa-1"]
        now = int(time.time())
        said = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "f3a1",
            "preferred_username": "ada",
            "groups": ["chemists"],
            "iat": now,
            "nbf": now,
            "exp": now + 300,
        }
        said = {name: value for name, value in (said | claims).items() if name not in without}
        headers = {"alg": alg, "kid": key.kid} | (header or {})
        headers = {name: value for name, value in headers.items() if value is not None}
        return jwt.encode(headers, said, key, algorithms=[alg])

    def unsigned(self, **claims):
        """alg none, as an attacker writes it."""
        _, payload, _ = self.token(**claims).split(".")
        return f"{_part({'alg': 'none', 'typ': 'JWT', 'kid': 'rsa-1'})}.{payload}."

    def signed_by_public_key(self):
        """The old confusion: HS256 with the public key as the shared secret."""
        _, payload, _ = self.token().split(".")
        said = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'rsa-1'})}.{payload}"
        secret = self.keys["rsa-1"].as_pem(private=False)
        mac = hmac.digest(secret, said.encode(), "sha256")
        return f"{said}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@contextmanager
def local_issuer():
    issuer = LocalIssuer()
    try:
        yield issuer
    finally:
        issuer.close()
