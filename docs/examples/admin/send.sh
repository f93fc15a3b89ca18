curl -i -H "Authorization: Bearer $TOKEN" $API/v1/devices/controlid:4408801109440198/commands \
    -H 'Idempotency-Key: opening-4711' \
    -d '{"payload": {"endpoint": "load_objects", "body": {"object": "users"}}, "ttl": 60, "priority": 7}'
