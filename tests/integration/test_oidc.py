"""Bearer tokens, checked against an issuer that this test starts: real HTTP, keys, signatures."""

import threading
import time

import pytest

from app.access.issuer_keys import IssuerKeys
from app.access.keys import create_key
from app.access.oidc import TokenReader, Trust, is_token
from app.access.rights import Right, Role
from app.core.errors import Forbidden, Unauthorized, Unavailable
from app.core.settings import Settings
from tests.support.gateway import calling
from tests.support.issuer import AUDIENCE, LocalIssuer, local_issuer
from tests.support.roles import bearer

ROLES = {"chemists": Role.SCIENTIST, "leads": Role.APPROVER, "it": Role.OPERATOR}


@pytest.fixture
def issuer():
    with local_issuer() as issuer:
        yield issuer


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


def reader_of(issuer, clock=time.monotonic, **options):
    trust = Trust(issuer=issuer.url, audience=AUDIENCE, roles=ROLES, **options)
    return TokenReader(trust, IssuerKeys(issuer.url, clock=clock))


@pytest.fixture
def reader(issuer):
    return reader_of(issuer)


def refused(reader, token, match, code="token_refused"):
    with pytest.raises(Unauthorized, match=match) as error:
        reader.principal(token)
    assert error.value.problem()["code"] == code
    assert token not in str(error.value)


# ---- whom it believes


def test_a_token_makes_a_principal(issuer, reader):
    found = reader.principal(issuer.token())
    assert (found.name, found.role, found.role_name) == ("user:f3a1", Role.SCIENTIST, "scientist")
    assert found.key_id is None
    assert found.may(Right.JOBS_WRITE)
    assert not found.may(Right.ALIASES_PROTECTED)


@pytest.mark.parametrize(
    ("kind", "alg"),
    [
        *(("RSA", "RS256"), ("RSA", "RS512"), ("RSA", "PS256")),
        *(("P-256", "ES256"), ("P-384", "ES384"), ("Ed25519", "Ed25519"), ("Ed25519", "EdDSA")),
    ],
)
def test_every_kind_of_key_that_issuers_use(issuer, reader, kind, alg):
    key = issuer.add(kind, "other")
    assert reader.principal(issuer.token(key=key, alg=alg)).name == "user:f3a1"


def test_the_audience_may_be_one_of_several(issuer, reader):
    assert reader.principal(issuer.token(aud=["account", AUDIENCE])).role is Role.SCIENTIST


def test_clocks_may_differ_a_little(issuer, reader):
    now = int(time.time())
    assert reader.principal(issuer.token(exp=now - 10, nbf=now + 10))
    refused(reader, issuer.token(exp=now - 60), "expired", code="token_expired")
    refused(reader, issuer.token(nbf=now + 90), "refused")


@pytest.mark.parametrize(
    ("claims", "match"),
    [
        ({"aud": "someone-else"}, "aud"),
        ({"aud": ["a", "b"]}, "aud"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"exp": "tomorrow"}, "refused"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "refused"),
        ({"sub": "a\nb"}, "names nobody"),
        ({"sub": "x" * 201}, "names nobody"),
        ({"without": ("aud",)}, "aud"),
        ({"without": ("iss",)}, "iss"),
        ({"without": ("exp",)}, "exp"),
        ({"without": ("sub",)}, "sub"),
    ],
)
def test_what_a_token_must_say(issuer, reader, claims, match):
    refused(reader, issuer.token(**claims), match)


# ---- whom it does not believe


def test_a_foreign_key_of_the_same_name(issuer, reader):
    with local_issuer() as other:
        forged = other.token(iss=issuer.url)
    refused(reader, forged, "refused")


def test_no_signature_no_shared_secret_no_unknown_algorithm(issuer, reader):
    refused(reader, issuer.unsigned(), "refused")
    refused(reader, issuer.signed_by_public_key(), "refused")
    assert issuer.asked == []  # such a token does not even make us ask the issuer


def test_what_was_altered_or_is_no_token(issuer, reader):
    head, payload, signature = issuer.token().split(".")
    _, other, _ = issuer.token(groups=["leads"]).split(".")
    for text in (
        f"{head}.{other}.{signature}",
        f"{head}.{payload}.{signature[:-4]}AAAA",
        f"{head}.{payload}.",
        "a.b.c",
        "..",
        f"{'x' * 20_000}.a.b",
    ):
        refused(reader, text, "refused")


def test_a_token_without_the_name_of_its_key_is_of_the_only_key(issuer, reader):
    assert reader.principal(issuer.token(header={"kid": None}))
    issuer.add("P-256", "second")
    again = reader_of(issuer)
    refused(again, issuer.token(header={"kid": None}), "no such key")


# ---- roles


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["chemists", "everybody"], "scientist"),
        (["chemists", "leads"], "approver+scientist"),
        (["it", "chemists"], "scientist+operator"),
        ("leads", "approver"),
    ],
)
def test_groups_become_roles(issuer, reader, groups, role):
    assert reader.principal(issuer.token(groups=groups)).role_name == role


def test_several_roles_may_what_any_of_them_may(issuer, reader):
    both = reader.principal(issuer.token(groups=["it", "chemists"]))
    assert both.may(Right.JOBS_WRITE)
    assert both.may(Right.CLUSTER_WRITE)
    assert not both.may(Right.ALIASES_PROTECTED)


@pytest.mark.parametrize("groups", [["visitors"], [], None, {"a": 1}, [1, None]])
def test_who_has_no_role_is_refused_or_gets_the_one_for_everybody(issuer, reader, groups):
    with pytest.raises(Forbidden) as error:
        reader.principal(issuer.token(groups=groups))
    assert error.value.problem()["code"] == "no_role"
    lenient = reader_of(issuer, default_role=Role.VIEWER)
    assert lenient.principal(issuer.token(groups=groups)).role is Role.VIEWER


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["leads"]}}),
        ("https://lab.example/roles", {"https://lab.example/roles": ["leads"]}),
    ],
)
def test_groups_stand_where_the_issuer_puts_them(issuer, path, claims):
    found = reader_of(issuer, roles_claim=path, name_claim="preferred_username")
    principal = found.principal(issuer.token(**claims))
    assert (principal.name, principal.role) == ("user:ada", Role.APPROVER)


# ---- its keys


def test_keys_are_fetched_once_and_kept(issuer, reader):
    for _ in range(20):
        reader.principal(issuer.token())
    assert len(issuer.asked) == 2  # the discovery document and the keys


def test_a_new_key_is_found_and_made_up_ones_do_not_make_us_ask(issuer):
    clock = Clock()
    reader = reader_of(issuer, clock)
    reader.principal(issuer.token())
    issuer.asked.clear()
    new = issuer.add("P-256", "next")
    token = issuer.token(key=new, alg="ES256")
    refused(reader, token, "no such key")
    assert issuer.asked == []  # asked just now
    clock.now += 31
    assert reader.principal(token)
    assert len(issuer.asked) == 2
    for number in range(20):
        refused(reader, issuer.token(header={"kid": f"made-up-{number}"}), "no such key")
    assert len(issuer.asked) == 2
    clock.now += 31
    refused(reader, issuer.token(header={"kid": "made-up"}), "no such key")
    assert len(issuer.asked) == 4


def test_a_key_that_was_withdrawn_is_forgotten_within_the_hour(issuer):
    clock = Clock()
    reader = reader_of(issuer, clock)
    token = issuer.token()
    reader.principal(token)
    issuer.keys.clear()
    issuer.add("P-256", "next")
    clock.now += 3_601
    refused(reader, token, "no such key")


def test_while_the_issuer_is_away_known_keys_go_on(issuer):
    clock = Clock()
    reader = reader_of(issuer, clock)
    token = issuer.token()
    reader.principal(token)
    issuer.status = 500
    clock.now += 3_601
    assert reader.principal(token)


def test_without_keys_nobody_waits_long_for_an_issuer_that_is_away(issuer):
    clock = Clock()
    reader = reader_of(issuer, clock)
    issuer.status = 500
    for _ in range(5):
        with pytest.raises(Unavailable) as error:
            reader.principal(issuer.token())
        assert error.value.problem()["code"] == "issuer_unavailable"
    assert len(issuer.asked) == 1
    issuer.status = 200
    clock.now += 6
    assert reader.principal(issuer.token())


@pytest.mark.parametrize(
    "says",
    [
        {"issuer": "https://evil.example"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://keys.example/jwks"},
        {"jwks_uri": 7},
    ],
)
def test_a_discovery_document_of_somebody_else(issuer, reader, says):
    issuer.says = says
    with pytest.raises(Unavailable):
        reader.principal(issuer.token())


def test_many_threads_fetch_once(issuer, reader):
    issuer.delay = 0.2
    token, found = issuer.token(), []
    threads = [
        threading.Thread(target=lambda: found.append(reader.principal(token))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(issuer.asked) == 2


def test_keys_and_tokens_are_told_apart():
    assert is_token("a.b.c")
    assert not is_token("rt_00000000_a.b.c")
    assert not is_token("rt_00000000_abc")


# ---- settings, and the gateway


def test_settings_say_which_group_has_which_role(monkeypatch):
    monkeypatch.setenv("RETORT_OIDC_ROLES", "cn=chemists=scientist, leads=approver,")
    assert Settings().oidc_roles == {"cn=chemists": "scientist", "leads": "approver"}
    for wrong in ("leads", "=admin", "leads=boss"):
        monkeypatch.setenv("RETORT_OIDC_ROLES", wrong)
        with pytest.raises(ValueError, match="oidc_roles"):
            Settings()
    monkeypatch.delenv("RETORT_OIDC_ROLES")
    monkeypatch.setenv("RETORT_OIDC_ISSUER", "https://login.example")
    with pytest.raises(ValueError, match="oidc_audience"):
        Settings()


@pytest.fixture
def gateway(request, retort_environment, issuer, monkeypatch):
    monkeypatch.setenv("RETORT_OIDC_ISSUER", issuer.url)
    monkeypatch.setenv("RETORT_OIDC_AUDIENCE", AUDIENCE)
    monkeypatch.setenv("RETORT_OIDC_ROLES", "chemists=scientist,leads=approver")
    resources = request.getfixturevalue("resources")
    with calling(resources) as client:
        client.resources = resources
        yield client


def with_token(text):
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.req("goal-92", "S2-17")
def test_a_token_works_in_place_of_a_key(gateway, issuer):
    headers = with_token(issuer.token())
    me = gateway.get("keys/whoami", headers=headers).json()
    assert (me["name"], me["kind"], me["role"], me["key"]) == (
        *("user:f3a1", "user", "scientist"),
        None,
    )
    made = gateway.post("files", files={"file": ("a.csv", b"x,y\n1,2\n")}, headers=headers)
    assert made.status_code == 201
    assert gateway.get("keys", headers=headers).status_code == 403
    for token, code in (
        (issuer.token(aud="other"), "token_refused"),
        (issuer.token(exp=int(time.time()) - 100), "token_expired"),
        (issuer.unsigned(), "token_refused"),
    ):
        answer = gateway.get("jobs", headers=with_token(token))
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert token not in answer.text
    answer = gateway.get("jobs", headers=with_token(issuer.token(groups=["visitors"])))
    assert (answer.status_code, answer.json()["code"]) == (403, "no_role")


def test_while_the_issuer_is_down_keys_go_on(gateway, issuer):
    issuer.close()
    answer = gateway.get("jobs", headers=with_token(LocalIssuer.token(issuer)))
    assert (answer.status_code, answer.json()["code"]) == (503, "issuer_unavailable")
    assert "use an API key" in answer.json()["remedy"]
    assert answer.headers["retry-after"]
    headers = bearer(gateway.resources, "viewer")
    assert gateway.get("jobs", headers=headers).status_code == 200


def test_without_an_issuer_a_token_is_an_unknown_key(api, issuer):
    answer = api.get("jobs", headers=with_token(issuer.token()))
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert issuer.asked == []


def test_a_key_is_known_where_tokens_are_too(gateway):
    with gateway.resources.database.session() as session:
        key = create_key(session, name="k", role=Role.VIEWER)
    assert gateway.get("jobs", headers=with_token(key.text)).status_code == 200


def test_nobody_is_followed_to_another_address(issuer, reader):
    """A redirect to plain HTTP, or to the inside, is no place for keys."""
    issuer.status, issuer.location = 302, f"{issuer.url}/elsewhere"
    with pytest.raises(Unavailable):
        reader.principal(issuer.token())
    assert not any("elsewhere" in path for path in issuer.asked)


def test_a_key_of_no_use_spoils_no_other(issuer, reader):
    issuer.junk = [
        {"kty": "EC", "crv": "P-256", "kid": "broken", "x": "!", "y": "!"},
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "encrypts", "use": "enc"},
        "nonsense",
    ]
    assert reader.principal(issuer.token())
    for kid in ("broken", "secret", "encrypts"):
        refused(reader, issuer.token(header={"kid": kid}), "no such key")


def test_who_has_his_key_does_not_wait_for_an_issuer_that_hangs(issuer):
    clock = Clock()
    reader = reader_of(issuer, clock)
    token = issuer.token()
    reader.principal(token)
    clock.now += 3_601
    issuer.delay = 3.0
    asking = threading.Thread(target=reader.principal, args=(token,))
    issuer.asked.clear()
    asking.start()
    while not issuer.asked:
        time.sleep(0.01)
    started = time.monotonic()
    assert reader.principal(token)
    assert time.monotonic() - started < 2.0
    asking.join()
