"""The store on PostgreSQL: sessions, schema, and the groups of operations that they run."""
