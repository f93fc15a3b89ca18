twistd -n pushd --admission open
