curl -i -H "Authorization: Bearer $TOKEN" "$API/v1/devices/controlid:4408801109440198/commands?wait=30" \
    -d '{"payload": {"endpoint": "load_objects", "body": {"object": "users"}}}'
