curl -i -H "Authorization: Bearer $TOKEN" -X POST "$API/v1/devices/controlid:4408801109440198/secret?overlap=3600"
