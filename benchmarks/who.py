"""Who is measured, by name."""

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

IN_MEMORY = (AIOHTTP, NCHAN, KLEIN, TWISTED, STARLETTE, EXPRESS)
"""Those that keep what is put in memory alone; whom our targets name first, lest there be no time for them."""

DURABLE = (REDIS_ALWAYS, KLEIN_SQLITE)
"""Those that have each step on the disk before they answer."""

EVERYBODY = (US, *IN_MEMORY, *DURABLE, FLOOR)
