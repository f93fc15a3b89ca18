"""The SQL of each operation, with the rules that must be atomic with it."""
