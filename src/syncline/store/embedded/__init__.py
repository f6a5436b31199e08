"""The PostgreSQL that comes with Syncline: found, initialised, started, shared and stopped."""

from syncline.store.embedded.address import ServerAddress, ServerInfo
from syncline.store.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer", "ServerAddress", "ServerInfo"]
