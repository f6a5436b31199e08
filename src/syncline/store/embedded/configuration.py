"""What the server is told: postgresql.conf and pg_hba.conf, written anew at each start."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from msgspec import Struct

from syncline.store.embedded.account import Account
from syncline.store.embedded.address import DATABASE, ROLES
from syncline.store.embedded.folder import DataFolder

__all__ = ["Endpoint", "new_endpoint", "write_configuration"]

_MEGABYTE = 1 << 20
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # looked at, never written to
# Parallel index builds keep up to maintenance_work_mem in shared memory.
_ENOUGH_SHARED_MEMORY = 512 * _MEGABYTE


class Endpoint(Struct, frozen=True):
    """Where the server listens: a socket in `socket_folder`, or else on the loopback address."""

    socket_folder: Path | None
    port: int = 5432

    @property
    def host(self) -> str:
        return str(self.socket_folder) if self.socket_folder else "127.0.0.1"


def new_endpoint(folder: DataFolder, account: Account) -> Endpoint:
    """Where a server that is about to start shall listen."""
    if uses_loopback():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return Endpoint(None, int(probe.getsockname()[1]))
    return Endpoint(folder.socket_folder(account))


def uses_loopback() -> bool:
    """Whether this system has no sockets in folders, or clients that cannot use them."""
    return sys.platform == "win32"


def write_configuration(folder: DataFolder, endpoint: Endpoint) -> None:
    """Bring both files in step with this version of Syncline and with this machine."""
    lines = ["# Written by Syncline at each start. Put settings of your own in"]
    lines.append(f"# {folder.own_configuration.name} beside it; they win.")
    lines += [f"{name} = {_quoted(value)}" for name, value in _settings(folder, endpoint).items()]
    if folder.own_configuration.exists():
        lines.append(f"include = {_quoted(str(folder.own_configuration))}")
    _write_if_changed(folder.configuration, "\n".join(lines) + "\n")

    who = f"{DATABASE} {','.join(ROLES.values())}"
    # Nobody else gets in, the superuser least of all: what needs it runs without a network.
    rule = f"local {who}" if endpoint.socket_folder else f"host {who} 127.0.0.1/32"
    _write_if_changed(folder.access_rules, f"{rule} scram-sha-256\n")


def _settings(folder: DataFolder, endpoint: Endpoint) -> dict[str, str]:
    memory = _machine_memory()
    return {
        "cluster_name": folder.mark,
        "hba_file": str(folder.access_rules),
        "listen_addresses": "" if endpoint.socket_folder else endpoint.host,
        "port": str(endpoint.port),
        "unix_socket_directories": str(endpoint.socket_folder or ""),
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "password_encryption": "scram-sha-256",
        # Memory, for a machine that has other things to do.
        "shared_buffers": "128MB",
        "effective_cache_size": f"{max(memory // 2 // _MEGABYTE, 256)}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": "128MB",
        "huge_pages": "off",
        **_dynamic_shared_memory(),
        # One server, no replicas: less is written, nothing less is safe.
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_logical_replication_workers": "0",
        "synchronous_commit": "on",
        "max_wal_size": "1GB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        # Short queries on solid state disks.
        "jit": "off",
        "random_page_cost": "1.1",
        "autovacuum": "on",
        # The same answers on every machine.
        "timezone": "UTC",
        "log_timezone": "UTC",
        "datestyle": "iso, ymd",
        "lc_messages": "C",
        "lc_monetary": "C",
        "lc_numeric": "C",
        "lc_time": "C",
        "default_text_search_config": "pg_catalog.simple",
        # The server's own life only. Failing statements are told to who sent them; their
        # text and their values are somebody's content and stay out of the log.
        "log_destination": "stderr",
        "logging_collector": "off",
        "log_line_prefix": "%m [%p] ",
        "log_min_messages": "log",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_statement": "none",
        "log_min_duration_statement": "-1",
        "log_checkpoints": "off",
        "log_connections": "off",
        "log_disconnections": "off",
        "log_autovacuum_min_duration": "-1",
        "log_lock_waits": "off",
        "log_temp_files": "-1",
    }


def _dynamic_shared_memory() -> dict[str, str]:
    """Containers often have no more than 64 MB in /dev/shm; System V's is not bounded by it."""
    if sys.platform != "linux":
        return {}
    try:
        details = os.statvfs(_SHARED_MEMORY)
        enough = details.f_blocks * details.f_frsize >= _ENOUGH_SHARED_MEMORY
    except OSError:
        enough = False
    return {"dynamic_shared_memory_type": "posix" if enough else "sysv"}


def _machine_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 0


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _write_if_changed(path: Path, text: str) -> None:
    try:
        if path.read_text(encoding="utf-8") == text:
            return
    except FileNotFoundError:
        pass
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.chmod(0o644)  # the server's user reads it, whatever our umask
    new.replace(path)
