API=http://127.0.0.1:8081
TOKEN=$(cat pushd-data/admin.token)
