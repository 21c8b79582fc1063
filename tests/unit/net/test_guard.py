"""Which addresses are reached: every trick that leads inside is refused, whatever its spelling."""

from ipaddress import ip_address, ip_network

import pytest

from app.core.errors import InvalidInput
from app.net.guard import NetPolicy, check_url, reachable, resolve_target

STRICT = NetPolicy()
LOCAL = NetPolicy(networks=(ip_network("127.0.0.0/8"),))
PUBLIC = "93.184.216.34"


def gives(*addresses):
    return lambda host, port: list(addresses)


def refuses(url, policy=STRICT, addresses=(PUBLIC,)):
    with pytest.raises(InvalidInput) as caught:
        resolve_target(url, policy, resolve=gives(*addresses))
    assert caught.value.problem()["code"] == "address_refused"
    for address in addresses:
        assert address not in caught.value.detail or address in url
    return True


@pytest.mark.req("goal-15")
@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1"),  # noqa: S104
        *("169.254.169.254", "100.64.0.1", "192.0.2.7", "198.18.0.1", "224.0.0.1", "240.0.0.1"),
        *("255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::"),
        *("2001:0:7f00:1::", "2001:db8::1"),
    ],
)
def test_what_is_not_public_is_never_reached(address):
    assert not reachable(ip_address(address), STRICT)
    assert refuses("https://innocent.example/hook", addresses=(address,))
    # one bad address among good ones is enough: which of them is used is a matter of chance
    assert refuses("https://innocent.example/hook", addresses=(PUBLIC, address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(InvalidInput):
        check_url(f"https://{host}/", STRICT)


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:220:1:248:1893:25c8:1946"])
def test_what_is_public_is_pinned_to_the_address_that_was_judged(address):
    target = resolve_target("https://lab.example/a?b=c", STRICT, resolve=gives(address))
    assert (target.scheme, target.host, target.port) == ("https", "lab.example", 443)
    assert (target.address, target.path) == (address, "/a?b=c")


@pytest.mark.parametrize(
    "url",
    [
        *("http://lab.example/", "ftp://lab.example/", "file:///etc/passwd", "gopher://x/", "x"),
        *("https://user:pw@lab.example/", "https://user@lab.example/", "https://lab.example/#f"),
        *("https:///path", "https://lab.example:0/", "https://lab.example:99999/", "https://[::1"),
        *("https://lab.example\\@10.0.0.1/", "https://lab .example/", "https://l\u00e4b.example/"),
        *("https://lab.example/\r\nHost: inner", "https://lab.example/\0", "//lab.example/"),
        "https://lab.example/" + "a" * 2_000,
    ],
)
def test_what_is_no_plain_https_address_is_refused(url):
    assert refuses(url)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost"])
def test_other_spellings_of_inner_addresses_are_judged_by_what_they_mean(host):
    """The real resolver: it knows these forms, or does not know the name."""
    with pytest.raises((InvalidInput, OSError)):
        resolve_target(f"https://{host}/", STRICT)


def test_an_allowed_network_opens_itself_only():
    target = resolve_target("http://127.0.0.1:8080/hook", LOCAL)
    assert (target.address, target.port) == ("127.0.0.1", 8080)
    assert resolve_target("http://inner/", LOCAL, resolve=gives("127.0.0.2")).address == "127.0.0.2"
    assert refuses("https://inner/", LOCAL, ("10.0.0.1",))
    # http to public addresses is another setting
    assert refuses("http://lab.example/", LOCAL, (PUBLIC,))
    http = NetPolicy(http=True)
    assert resolve_target("http://lab.example/", http, resolve=gives(PUBLIC)).port == 80


def test_a_list_of_hosts_leaves_the_others_out():
    policy = NetPolicy(hosts=("lab.example", ".inside.example"))
    for host in ("lab.example", "LAB.example.", "a.inside.example", "a.b.inside.example"):
        assert resolve_target(f"https://{host}/", policy, resolve=gives(PUBLIC))
    for host in ("inside.example", "evil-lab.example", "lab.example.evil.example", PUBLIC):
        assert refuses(f"https://{host}/", policy)
    # being named opens no inner address
    assert refuses("https://lab.example/", policy, ("10.0.0.1",))


def test_a_name_without_addresses_is_an_outage():
    with pytest.raises(OSError, match="no address"):
        resolve_target("https://lab.example/", STRICT, resolve=gives())
