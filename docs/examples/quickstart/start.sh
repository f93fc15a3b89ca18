pushd-server
