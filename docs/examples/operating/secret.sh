TOKEN=$(cat pushd-data/admin.token)
curl -X POST -H "Authorization: Bearer $TOKEN" \
    http://127.0.0.1:8081/v1/devices/controlid:4408801109440198/secret
