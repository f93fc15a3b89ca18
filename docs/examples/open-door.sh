curl -H "Authorization: Bearer $(cat pushd-data/admin.token)" -H 'Idempotency-Key: ticket-4711' \
    'http://127.0.0.1:8081/v1/devices/controlid:4408801109440198/commands?wait=10' \
    -d '{"payload": {"endpoint": "execute_actions",
                     "body": {"actions": [{"action": "door", "parameters": "door=1"}]}},
         "ttl": 10, "lease": 10}'
