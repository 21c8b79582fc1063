"""Sealed streams: what is put in comes out, from anywhere; what was touched does not."""

import io
import tracemalloc

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.settings import Settings
from app.storage.keyring import keys_of
from app.storage.sealing import (
    CHUNK,
    HEADER,
    DamagedBlob,
    OpeningReader,
    SealingWriter,
    StorageKey,
    plain_size,
)

KEY = StorageKey(secret=bytes(range(32)))
OTHER = StorageKey(secret=b"\xff" * 32)
pytestmark = pytest.mark.req("S1-41", "goal-95")


def seal(plain, key=KEY, name="a/b", pieces=1):
    target = io.BytesIO()
    writer = SealingWriter(target, key, name)
    step = max(1, len(plain) // pieces)
    for start in range(0, len(plain), step):
        writer.write(plain[start : start + step])
    writer.finish()
    return target.getvalue()


def opened(sealed, *keys, name="a/b"):
    keys = keys or (KEY,)
    return io.BufferedReader(OpeningReader(io.BytesIO(sealed), {k.id: k for k in keys}, name))


def pattern(length):
    return bytes(i * 7 % 251 for i in range(length))


LONG = 3 * CHUNK + 9


@pytest.mark.parametrize("length", [0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, LONG])
@pytest.mark.parametrize("pieces", [1, 7])
def test_what_goes_in_comes_out(length, pieces):
    plain = pattern(length)
    sealed = seal(plain, pieces=pieces)
    assert plain_size(len(sealed)) == length
    with opened(sealed) as stream:
        assert stream.read() == plain
    if length >= 100:
        assert plain[:100] not in sealed


@pytest.mark.parametrize("start", [0, 1, CHUNK - 3, CHUNK, 2 * CHUNK + 5, LONG - 1, LONG])
def test_a_range_is_read_from_anywhere(start):
    plain = pattern(3 * CHUNK + 9)
    with opened(seal(plain)) as stream:
        stream.seek(start)
        assert stream.read(10) == plain[start : start + 10]
        assert stream.tell() == min(start + 10, len(plain))
        stream.seek(-4, io.SEEK_END)
        assert stream.read() == plain[-4:]


def test_the_layout_is_the_one_that_is_written_down():
    """Opened by the primitives alone, as another program would."""
    sealed = seal(b"attack at dawn", name="uploads/x")
    header, body = sealed[:HEADER], sealed[HEADER:]
    assert header[:8] == b"RETORT\x00\x01"
    info = header[:16] + b"uploads/x"
    key = HKDF(SHA256(), 32, header[16:48], info).derive(KEY.secret)
    assert AESGCM(key).decrypt(bytes(11) + b"\x01", body, None) == b"attack at dawn"


def test_no_two_sealings_are_alike():
    assert seal(b"same") != seal(b"same")


SEALED = seal(pattern(3 * CHUNK + 9))
STEP = CHUNK + 16


def changed(at):
    data = bytearray(SEALED)
    data[at] ^= 1
    return bytes(data)


def chunks(*order):
    parts = [SEALED[HEADER + n * STEP : HEADER + (n + 1) * STEP] for n in order]
    return SEALED[:HEADER] + b"".join(parts)


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(changed(8), id="the key's id"),
        pytest.param(changed(20), id="salt"),
        pytest.param(changed(HEADER), id="first byte"),
        pytest.param(changed(len(SEALED) - 1), id="last tag"),
        pytest.param(changed(HEADER + STEP + 50), id="a chunk in the middle"),
        pytest.param(SEALED[:-1], id="a byte less"),
        pytest.param(SEALED[: HEADER + 3 * STEP], id="cut off at a chunk"),
        pytest.param(SEALED[:HEADER], id="nothing but a header"),
        pytest.param(SEALED + b"\0", id="a byte more"),
        pytest.param(chunks(1, 0, 2, 3), id="two chunks changed places"),
        pytest.param(chunks(0, 2, 3), id="a chunk left out"),
        pytest.param(chunks(0, 0, 1, 2, 3), id="a chunk twice"),
    ],
)
def test_what_was_touched_does_not_open(damaged):
    with pytest.raises(DamagedBlob), opened(damaged) as stream:
        stream.read()


@pytest.mark.parametrize("length", range(HEADER, HEADER + 2 * STEP, 997))
def test_a_cut_is_noticed_before_the_first_byte_is_given(length):
    with pytest.raises(DamagedBlob):
        opened(SEALED[:length])


def test_a_blob_under_another_s_name_does_not_open():
    with pytest.raises(DamagedBlob):
        opened(SEALED, name="a/c")


def test_a_chunk_of_another_blob_does_not_fit():
    other = seal(pattern(3 * CHUNK + 9))
    mixed = SEALED[: HEADER + STEP] + other[HEADER + STEP :]
    with pytest.raises(DamagedBlob):
        opened(mixed)


def test_the_key_is_found_by_its_id():
    sealed = seal(b"x", OTHER)
    with opened(sealed, KEY, OTHER) as stream:
        assert stream.read() == b"x"
    with pytest.raises(DamagedBlob, match=OTHER.id.hex()):
        opened(sealed, KEY)


def test_memory_does_not_grow_with_the_blob(tmp_path):
    block = pattern(1 << 20)
    with (tmp_path / "b").open("wb") as target:
        tracemalloc.start()
        writer = SealingWriter(target, KEY, "a")
        for _ in range(32):
            writer.write(block)
        writer.finish()
    reader = OpeningReader((tmp_path / "b").open("rb"), {KEY.id: KEY}, "a")
    with io.BufferedReader(reader) as stream:
        total = sum(len(part) for part in iter(lambda: stream.read(1 << 20), b""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 32 << 20
    assert peak < 6 << 20


def test_keys_come_from_the_settings_and_are_never_shown():
    text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    settings = Settings(storage_key=text, storage_old_keys=f"{'/' * 42}8=, {text}")
    current, old = keys_of(settings)
    assert current == KEY
    assert old == (OTHER, KEY)
    assert text not in repr(settings)
    assert "010203" not in repr(current)
    assert keys_of(Settings()) == (None, ())


@pytest.mark.parametrize("wrong", ["short", "AAAA", "not base64!!", "A" * 44])
def test_a_wrong_key_is_refused_without_showing_it(wrong):
    with pytest.raises(ValueError, match="RETORT_STORAGE_KEY is not 32 bytes in base64") as caught:
        keys_of(Settings(storage_key=wrong))
    assert wrong not in str(caught.value)
