curl -i -H "Authorization: Bearer $TOKEN" $API/v1/tokens \
    -d '{"name": "lobby", "role": "operator", "sites": ["Lobby"], "expires_at": "2099-01-01T00:00:00Z"}'
