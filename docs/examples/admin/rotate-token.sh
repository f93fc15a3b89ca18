curl -i -H "Authorization: Bearer $TOKEN" -X POST "$API/v1/tokens/$LOBBY/rotate?overlap=3600"
