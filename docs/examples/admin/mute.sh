curl -i -H "Authorization: Bearer $TOKEN" $API/v1/devices/mute \
    -d '{"site": "Lobby", "until": "2030-01-02T03:04:05Z"}'
