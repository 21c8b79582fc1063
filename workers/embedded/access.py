"""The key with which this machine's user enters: written where client and command line look."""

from app.access.keys import ensure_key
from app.db.database import Database
from workers.embedded.cluster import Cluster
from workers.embedded.home import write_private, write_private_text


def write_client_config(cluster: Cluster) -> None:
    """Keep the key of the last start while it works, else make one.

    It lies in `api_key` (for curl) and in `client.json` (for the client), both mode 0600.
    """
    path = cluster.home.root / "api_key"
    database = Database(cluster.environment["RETORT_DATABASE_URL"], pool_size=1)
    try:
        key = ensure_key(database, name="embedded", path=path)
    finally:
        database.dispose()
    write_private_text(path, key)
    config = {"url": cluster.address("gateway"), "api_key": key}
    write_private(cluster.home.client_config, config)
