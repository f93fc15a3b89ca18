curl -i -H "Authorization: Bearer $TOKEN" "$API/v1/audit?object=device:controlid:4408801109440198"
