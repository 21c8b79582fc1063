"""What a report page may load: nothing. In the page itself, and sent with it by the gateway."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
    " form-action 'none'"
)

#: with which the gateway sends a page: in no frame, as of no origin
PAGE_HEADERS = {
    "Content-Security-Policy": f"{CONTENT_SECURITY_POLICY}; frame-ancestors 'none'; sandbox"
}
