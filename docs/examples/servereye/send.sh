TOKEN=$(cat pushd-data/admin.token)
curl -H "Authorization: Bearer $TOKEN" \
    'http://127.0.0.1:8081/v1/devices/servereye:4f1c2d/commands?wait=60' \
    -d '{"payload": {"control": "REFRESH_AGENT", "data": {"agent": 3}}}'
