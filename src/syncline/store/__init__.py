"""PostgreSQL: the schema, the bundled server, and one file of SQL a noun."""
