TOKEN=$(cat pushd-data/admin.token)
curl -H "Authorization: Bearer $TOKEN" \
    'http://127.0.0.1:8081/v1/devices/controlid:4408801109440198/commands?wait=60' \
    -d '{"payload": {"endpoint": "load_objects", "body": {"object": "users"}}}'
