curl -i -H "Authorization: Bearer $TOKEN" "$API/v1/devices?dialect=controlid&tag=north"
