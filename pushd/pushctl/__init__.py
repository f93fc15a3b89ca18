"""``pushctl``, the operator's command line: a client of the admin API."""
