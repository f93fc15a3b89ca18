"""
Who is measured, by name.
"""

US = "pushd"
AIOHTTP = "aiohttp, uvloop"
STARLETTE = "Starlette, uvicorn"
KLEIN = "stock Klein"
TWISTED = "bare twisted.web"
EXPRESS = "Express"
NCHAN = "nchan"
KLEIN_SQLITE = "Klein, SQLite"
REDIS_ALWAYS = "Redis, always"
FLOOR = "trivial C server"

IN_MEMORY = (AIOHTTP, STARLETTE, KLEIN, TWISTED, EXPRESS, NCHAN)
"""Those that keep what is put in memory alone."""

DURABLE = (KLEIN_SQLITE, REDIS_ALWAYS)
"""Those that have each step on the disk before they answer."""

EVERYBODY = (US, *IN_MEMORY, *DURABLE, FLOOR)
