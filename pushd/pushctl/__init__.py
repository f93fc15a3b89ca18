"""``pushctl``, the operator's command line: a program of its own that speaks the admin API."""
