curl -i -H "Authorization: Bearer $TOKEN" "$API/v1/commands?device=controlid:4408801109440198&state=succeeded"
