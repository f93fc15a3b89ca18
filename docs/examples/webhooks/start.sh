pushd-server --admission open --webhook-allow 127.0.0.0/8
