curl -i -H "Authorization: Bearer $TOKEN" -X PATCH $API/v1/devices/controlid:4408801109440198 \
    -d '{"name": "South gate", "site": "Lobby", "tags": null, "hold": 12, "facts": {"model": "iDFlex"}}'
