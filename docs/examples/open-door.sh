curl -H "Authorization: Bearer $(cat pushd-data/admin.token)" -H 'Idempotency-Key: ticket-4711' \
    -X POST http://127.0.0.1:8081/v1/devices/controlid:4408801109440198/open
