"""Alembic's entry point: migrations run on the connection that `schema.py` hands over."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table_schema="syncline")
with context.begin_transaction():
    context.run_migrations()
