"""Model-based tests: random histories are applied to a store and to a reference model of it, and both are compared."""
