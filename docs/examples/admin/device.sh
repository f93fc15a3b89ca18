curl -i -H "Authorization: Bearer $TOKEN" $API/v1/devices/controlid:4408801109440198
