curl -i -H "Authorization: Bearer $TOKEN" $API/v1/devices/controlid:4408801109440198/commands \
    -d '{"payload": {"endpoint": "", "verb": "PUT"}}'
