twistd -n pushd
