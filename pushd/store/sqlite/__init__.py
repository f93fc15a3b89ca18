"""The store on SQLite: connection, schema and migrations."""
