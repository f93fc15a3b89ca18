curl -i -H "Authorization: Bearer $TOKEN" -H 'Idempotency-Key: ticket-4712' \
    -X POST $API/v1/devices/controlid:4408801109440198/open -d '{"trace": "ticket 4712"}'
