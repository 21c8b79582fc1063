"""Who made a bundle: its signature is checked, and only those of trusted keys come in."""

import base64

import orjson
import pytest

from app.core.errors import InvalidInput
from app.core.settings import Settings
from app.exporting.bundle_file import FACTS
from app.exporting.signing import SIGNATURE, Signature, Signer, Trust

#: RFC 8032, 7.1, test 1
SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")

OURS, THEIRS = Signer(SECRET), Signer(b"t" * 32)


def text(data):
    return base64.b64encode(data).decode()


def signed(made, path, signer, **changed):
    return made.write(path, **{SIGNATURE: signer.sign(made.files[FACTS])}, **changed)


def refusal(open_, code):
    with pytest.raises(InvalidInput) as refused:
        open_()
    problem = refused.value.problem()
    assert problem["code"] == code, problem["detail"]
    return problem


def test_the_public_key_is_that_of_the_rfc():
    assert OURS.public_key == text(PUBLIC)


def test_a_signed_bundle_says_who_made_it_and_is_the_same_bytes_again(made, opened, tmp_path):
    path = signed(made, tmp_path / "a.zip", OURS)
    assert opened(path).signed_by == text(PUBLIC)
    assert opened(made.write(tmp_path / "plain.zip")).signed_by is None
    again = signed(made, tmp_path / "again.zip", OURS)
    assert path.read_bytes() == again.read_bytes()


def test_only_bundles_of_trusted_signers_come_in(made, opened, tmp_path):
    trust = Trust.only([OURS.public_key])
    assert opened(signed(made, tmp_path / "ours.zip", OURS), trust=trust).signed_by
    strange = signed(made, tmp_path / "theirs.zip", THEIRS)
    problem = refusal(lambda: opened(strange, trust=trust), "bundle_refused")
    assert THEIRS.public_key in problem["detail"]
    assert "RETORT_TRUSTED_SIGNERS" in problem["remedy"]
    plain = made.write(tmp_path / "plain.zip")
    problem = refusal(lambda: opened(plain, trust=trust), "bundle_refused")
    assert "not signed" in problem["detail"]
    assert opened(strange, trust=Trust.only([OURS.public_key, THEIRS.public_key])).signed_by


def test_a_signature_is_of_one_bundle_and_of_one_key(made, opened, tmp_path):
    """Whoever they are that are trusted: a wrong signature is nobody's."""
    facts = made.files[FACTS]
    other = OURS.sign(facts.replace(b'"number":2', b'"number":3'))
    borrowed = orjson.loads(THEIRS.sign(facts)) | {"public_key": OURS.public_key}
    for number, forged in enumerate((other, orjson.dumps(borrowed))):
        path = made.write(tmp_path / f"{number}.zip", **{SIGNATURE: forged})
        assert SIGNATURE in refusal(lambda path=path: opened(path), "bundle_altered")["detail"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"algorithm": "none", "public_key": "", "signature": ""}',
        b'{"public_key": "' + b"A" * 500 + b'", "signature": ""}',
    ],
)
def test_what_is_no_signature_is_refused(made, opened, tmp_path, content):
    path = made.write(tmp_path / "b.zip", **{SIGNATURE: content})
    refusal(lambda: opened(path), "bundle_refused")


def test_a_signature_of_bytes_alone_is_none_of_a_bundle():
    """So that what we sign elsewhere cannot be passed off as a bundle."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    bare = Ed25519PrivateKey.from_private_bytes(SECRET).sign(b"facts")
    assert not Signature(public_key=text(PUBLIC), signature=text(bare)).is_of(b"facts")
    assert Signature.model_validate_json(OURS.sign(b"facts")).is_of(b"facts")


def test_an_installation_that_names_signers_trusts_itself_too():
    keys = {"signing_key": text(SECRET), "trusted_signers": THEIRS.public_key}
    assert Trust.of(Settings(**keys)).keys == {OURS.public_key, THEIRS.public_key}
    assert Trust.of(Settings(signing_key=text(SECRET))).keys == frozenset()
    assert Signer.of(Settings()) is None


@pytest.mark.parametrize("name", ["signing_key", "trusted_signers"])
@pytest.mark.parametrize("wrong", ["secret words", "QUJD", "é" * 44])
def test_a_wrong_key_is_refused_at_the_start_and_not_told(name, wrong):
    with pytest.raises(ValueError, match="32 bytes in base64") as caught:
        Settings(**{name: wrong})
    assert "openssl rand" in str(caught.value)
    assert wrong not in str(caught.value)
