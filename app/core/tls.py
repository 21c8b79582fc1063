"""What a URL needs so that every client of Redis checks whom it talks to."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit


def checked_url(url: str, ca_file: str) -> str:
    """A `rediss://` URL with its certificate checks spelled out, as redis-py, Celery's broker and
    its result backend all read them: required, against `ca_file` (empty: the machine's). What the
    URL says itself stays; others are as they were.
    """
    parts = urlsplit(url)
    if parts.scheme != "rediss":
        return url
    said = dict(parse_qsl(parts.query, keep_blank_values=True))
    wanted = {"ssl_cert_reqs": "required"} | ({"ssl_ca_certs": ca_file} if ca_file else {})
    return urlunsplit(parts._replace(query=urlencode(wanted | said, safe="/:")))
