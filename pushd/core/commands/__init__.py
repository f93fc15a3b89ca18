"""Commands: enqueue, dispatch, settle, explain."""
