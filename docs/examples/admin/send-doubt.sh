curl -i -H "Authorization: Bearer $TOKEN" "$API/v1/devices/controlid:4408801109440198/commands?wait=30" \
    -d '{"payload": {"endpoint": "execute_actions", "body": {"actions": [{"action": "door", "parameters": "door=1"}]}},
         "ttl": 10, "lease": 1}'
