curl -i -H "Authorization: Bearer $TOKEN" $API/v1/devices \
    -d '{"id": "controlid:4408801109440198", "name": "Main gate", "tags": ["north"]}'
