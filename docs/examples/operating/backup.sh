sqlite3 pushd-data/pushd.sqlite ".backup backup.sqlite"
