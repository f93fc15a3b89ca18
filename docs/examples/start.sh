pushd-server --admission open
