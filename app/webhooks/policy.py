"""What this installation's settings let webhooks reach."""

from ipaddress import ip_network

from app.core.settings import Settings
from app.net.guard import NetPolicy


def policy_of(settings: Settings) -> NetPolicy:
    return NetPolicy(
        networks=tuple(ip_network(text) for text in settings.webhook_networks),
        http=settings.webhook_http,
        hosts=settings.webhook_hosts,
    )
